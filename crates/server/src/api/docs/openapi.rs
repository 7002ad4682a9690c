use holodrive_protocol::http::ErrorBody;
use http::StatusCode;
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{
    PublicAddress,
    operation::{Access, Answer, Operation},
    operations::groups,
    schemas::{SchemaOf, definitions, generator, schema_of},
};

const INTRODUCTION: &str = "The HTTP side of HoloDrive; the sockets are described in /api/asyncapi.json. The last slash of \
    a path is optional. Lists come in pages: give `next` as `cursor`. Coordinates are taken as numbers or texts. \
    An unsafe request with an `Idempotency-Key` that comes again within 24 hours gets the first answer again.";

/// The errors that a call may answer with, each with its codes.
const ERRORS: &[(u16, &str)] = &[
    (400, "`invalid_json`, or `invalid` with what is wrong for each field"),
    (401, "`not_authenticated`, `token_not_valid` and the like: no credentials, or none that count"),
    (403, "`forbidden`, or `csrf_failed` where a session cookie came without its CSRF token or from a foreign page"),
    (404, "`not_found`: there is no such thing, or not for this user"),
    (408, "`timeout`: the body did not arrive in time"),
    (409, "The state forbids it, and `code` says why; `idempotency_conflict`: the key was used for another request"),
    (413, "`too_large`: the body is longer than 1 MiB"),
    (415, "`unsupported_media_type`: the body is not application/json"),
    (429, "`rate_limited`: wait for Retry-After seconds"),
    (503, "`unavailable`: nothing was stored, try again"),
];

/// The OpenAPI 3.1 document of a server at this address.
pub fn openapi(address: &PublicAddress) -> Value {
    let mut generator = generator();
    let groups = groups();
    let (mut paths, mut position) = (Map::new(), 0);
    for group in &groups {
        for operation in &group.operations {
            let mut described = describe(operation, group.name, &mut generator);
            // JSON objects have no order; the page shows calls in the table's.
            position += 1;
            described["x-position"] = position.into();
            let methods = paths.entry(operation.path).or_insert_with(|| json!({}));
            methods[operation.method.as_str().to_lowercase()] = described;
        }
    }
    let responses: Map<_, _> = ERRORS.iter().map(|error| describe_error(*error, &mut generator)).collect();
    let tags: Vec<_> =
        groups.iter().map(|group| json!({ "name": group.name, "description": group.description })).collect();
    let scheme = if address.secure { "https" } else { "http" };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "HoloDrive HTTP API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": format!("{scheme}://{}", address.authority) }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": definitions(&mut generator),
            "responses": responses,
            "parameters": parameters(),
            "securitySchemes": security_schemes(),
        },
    })
}

fn describe(operation: &Operation, tag: &str, generator: &mut SchemaGenerator) -> Value {
    let mut described = json!({
        "operationId": operation_id(operation),
        "tags": [tag],
        "summary": operation.summary,
        "security": security(operation),
        "parameters": describe_parameters(operation, generator),
        "responses": describe_answers(operation, generator),
    });
    if !operation.description.is_empty() {
        described["description"] = operation.description.into();
    }
    if let Some(body) = operation.body {
        described["requestBody"] = json!({ "required": true, "content": content("application/json", body, generator) });
    }
    described
}

/// `post_orders_cancel` of `POST /api/orders/{id}/cancel/`, `get_orders_by_id` of `GET /api/orders/{id}/`.
fn operation_id(operation: &Operation) -> String {
    let path = operation.path.trim_start_matches("/api").trim_matches('/');
    let path = path.strip_suffix("/{id}").map_or_else(|| path.to_owned(), |path| format!("{path}/by_id"));
    let words = path.split('/').filter(|word| !word.starts_with('{')).collect::<Vec<_>>().join("_");
    format!("{}_{}", operation.method.as_str().to_lowercase(), words.replace(['-', '.'], "_"))
}

fn security(operation: &Operation) -> Value {
    let session =
        if operation.method.is_safe() { json!({ "session": [] }) } else { json!({ "session": [], "csrf": [] }) };
    match operation.access {
        Access::Anyone => json!([]),
        Access::User => json!([{ "token": [] }, session]),
        Access::UserOrBackend => json!([{ "token": [] }, session, { "key": [] }]),
    }
}

fn describe_parameters(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let path = operation.path_parameters().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
    let mut parameters: Vec<_> = path.collect();
    for query in &operation.query {
        let schema = (query.schema)(generator);
        let (name, description) = (query.name, query.description);
        parameters.push(json!({ "name": name, "in": "query", "description": description, "schema": schema }));
    }
    if operation.is_command() {
        parameters.push(json!({ "$ref": "#/components/parameters/idempotency_key" }));
    }
    parameters.into()
}

fn describe_answers(operation: &Operation, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let error = |status: u16| (status.to_string(), json!({ "$ref": format!("#/components/responses/{status}") }));
    let mut answers: Map<_, _> = operation.all_errors().into_iter().map(error).collect();
    for Answer { status, description, content: body } in &operation.answers {
        let mut answer = json!({ "description": description });
        if let Some((media_type, schema)) = body {
            answer["content"] = content(media_type, *schema, generator);
        }
        answers.insert(status.to_string(), answer);
    }
    answers
}

fn content(media_type: &str, schema: SchemaOf, generator: &mut SchemaGenerator) -> Value {
    json!({ media_type: { "schema": schema(generator) } })
}

fn describe_error((status, codes): (u16, &str), generator: &mut SchemaGenerator) -> (String, Value) {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let body = content("application/json", schema_of::<ErrorBody>, generator);
    let mut error = json!({ "description": format!("{reason}: {codes}"), "content": body });
    let header = match status {
        401 => Some(("WWW-Authenticate", json!({ "type": "string" }))),
        429 | 503 => Some(("Retry-After", json!({ "type": "integer", "description": "Seconds." }))),
        _ => None,
    };
    if let Some((name, schema)) = header {
        error["headers"] = json!({ name: { "schema": schema } });
    }
    (status.to_string(), error)
}

fn parameters() -> Value {
    json!({
        "id": { "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "format": "int64" } },
        "idempotency_key": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "1 to 255 visible ASCII characters, new for each request and the same for its repetitions.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
        },
    })
}

fn security_schemes() -> Value {
    json!({
        "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A SimpleJWT access token." },
        "session": { "type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Django's session cookie." },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRFToken",
            "description": "The value of the cookie csrftoken.",
        },
        "key": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key KEY`, with one of API_KEYS: a trusted back end.",
        },
    })
}
