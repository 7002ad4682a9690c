use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{
    PublicAddress,
    channels::{CHANNELS, COMMON_CLIENT, COMMON_SERVER, Channel},
    schemas::{SchemaOf, definitions, generator},
};

const INTRODUCTION: &str = "The sockets of HoloDrive; HTTP is described in /api/openapi.json. Every message is a JSON object \
    with a `type`. `connection_established` is always the first one. A message that is not understood gets `error`, and the \
    connection stays open; before the server closes a connection it sends `error` with `reconnect` and `retry_after_ms`. \
    Close codes: 4401 credentials, 4403 not allowed, 4408 idle, 4410 too slow, 4429 too much, 1001 come back.";

/// The AsyncAPI 3.0 document of a server at this address.
pub fn asyncapi(address: &PublicAddress) -> Value {
    let mut document = Document { generator: generator(), messages: Map::new() };
    let common_server = document.messages("common", Side::Server, COMMON_SERVER);
    let common_client = document.messages("common", Side::Client, COMMON_CLIENT);
    let (mut channels, mut operations) = (Map::new(), Map::new());
    for channel in CHANNELS {
        let mut sent = document.messages(channel.name, Side::Server, channel.server);
        sent.extend(common_server.clone());
        let mut received = common_client.clone();
        received.extend(
            channel.client.map(|client| document.messages(channel.name, Side::Client, client)).unwrap_or_default(),
        );
        let all: Map<_, _> = sent.iter().chain(&received).map(|name| (name.clone(), component(name))).collect();
        channels.insert(channel.name.to_owned(), describe(channel, all));
        for (side, messages) in [(Side::Server, sent), (Side::Client, received)] {
            operations.insert(format!("{}.{}", channel.name, side.verb()), operation(channel, side, &messages));
        }
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "HoloDrive sockets",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": { "holodrive": server(address) },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": document.messages,
            "schemas": definitions(&mut document.generator),
            "securitySchemes": security_schemes(),
        },
    })
}

/// Who sends a message.
#[derive(Clone, Copy)]
enum Side {
    Server,
    Client,
}

impl Side {
    /// What the server does, whom the document describes.
    const fn verb(self) -> &'static str {
        match self {
            Self::Server => "send",
            Self::Client => "receive",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

struct Document {
    generator: SchemaGenerator,
    messages: Map<String, Value>,
}

impl Document {
    /// Adds the messages of an enum that is tagged by `type`; gives their names.
    fn messages(&mut self, channel: &str, side: Side, schema: SchemaOf) -> Vec<String> {
        let schema = schema(&mut self.generator).to_value();
        let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
        variants.into_iter().filter_map(|variant| self.message(channel, side, variant)).collect()
    }

    fn message(&mut self, channel: &str, side: Side, payload: Value) -> Option<String> {
        let kind = payload["properties"]["type"]["const"].as_str()?.to_owned();
        let name = format!("{channel}.{}.{kind}", side.name());
        let summary = payload["description"].clone();
        self.messages.insert(name.clone(), json!({ "name": kind, "summary": summary, "payload": payload }));
        Some(name)
    }
}

fn component(message: &str) -> Value {
    json!({ "$ref": format!("#/components/messages/{message}") })
}

fn describe(channel: &Channel, messages: Map<String, Value>) -> Value {
    let mut query =
        json!({ "token": { "type": "string", "description": "An access token, where no header can be set." } });
    if channel.resumes {
        let description =
            "The highest id that the client has: what is newer is sent again, oldest first, before `resumed`.";
        query["since"] = json!({ "type": "integer", "description": description });
    }
    let mut described = json!({
        "address": channel.address,
        "summary": channel.summary,
        "description": channel.who,
        "messages": messages,
        "bindings": { "ws": { "method": "GET", "query": { "type": "object", "properties": query } } },
    });
    if let Some((_, rest)) = channel.address.split_once('{') {
        let name = rest.split('}').next().unwrap_or_default();
        described["parameters"] = json!({ name: { "description": "Its id." } });
    }
    described
}

fn operation(channel: &Channel, side: Side, messages: &[String]) -> Value {
    let at_channel = |name| json!({ "$ref": format!("#/channels/{}/messages/{name}", channel.name) });
    json!({
        "action": side.verb(),
        "channel": { "$ref": format!("#/channels/{}", channel.name) },
        "messages": messages.iter().map(at_channel).collect::<Vec<_>>(),
    })
}

fn server(address: &PublicAddress) -> Value {
    let security = ["token", "session"].map(|name| json!({ "$ref": format!("#/components/securitySchemes/{name}") }));
    json!({
        "host": address.authority,
        "protocol": if address.secure { "wss" } else { "ws" },
        "security": security,
    })
}

fn security_schemes() -> Value {
    let token =
        "A SimpleJWT access token: here, as ?token=, at the end of the path, or as the sub-protocol after `bearer`.";
    let session = "Django's session cookie, from a page of an allowed Origin.";
    json!({
        "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": token },
        "session": { "type": "httpApiKey", "in": "cookie", "name": "sessionid", "description": session },
    })
}
