//! Can the server listen, and can its clients find it?

use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};

use super::Report;
use crate::{channel_layer, config::Config};

pub(super) fn check(config: &Config, report: &mut Report) {
    check_listening(config, report);
    check_public_address(config, report);
    check_origins(config, report);
    check_channel_layer(config, report);
    if config.redis_url.is_some() {
        report.warn("redis", "REDIS_URL is set, but Redis is not supported yet: this node serves alone");
    }
}

fn check_listening(config: &Config, report: &mut Report) {
    let (host, port) = (config.websocket_host.as_str(), config.websocket_port);
    match TcpListener::bind((host, port)) {
        Ok(_) => report.ok("listening", format!("{host}, port {port} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            report.warn("listening", format!("{host}, port {port} is in use: a server is running there"));
        }
        Err(error) => report.fail("listening", format!("{host}, port {port}: {error}")),
    }
}

fn check_public_address(config: &Config, report: &mut Report) {
    let authority = &config.websocket_url;
    let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if address.is_ok_and(|address| address.is_unspecified()) {
        report.warn("public address", format!("clients cannot connect to {authority}: set WEBSOCKET_URL"));
    } else {
        report.ok("public address", authority.clone());
    }
}

fn check_channel_layer(config: &Config, report: &mut Report) {
    let (subject, backend) = ("channel layer", config.channel_layer_backend);
    let servers = match channel_layer::look(config) {
        Ok(servers) => servers,
        Err(error) => return report.fail(subject, error.to_string()),
    };
    for (name, problem) in servers {
        match problem {
            None => report.ok(subject, format!("{name} answers ({backend:?})")),
            Some(problem) => report.warn(subject, format!("{name}: {problem}: nothing of Django's arrives")),
        }
    }
}

fn check_origins(config: &Config, report: &mut Report) {
    if config.allowed_origins.iter().any(|origin| origin == "*") {
        report.warn("origins", "ALLOWED_ORIGINS has *: any web page may use a visitor's session");
    } else if config.allowed_origins.is_empty() {
        report.ok("origins", "the server's own host only");
    } else {
        report.ok("origins", config.allowed_origins.join(", "));
    }
}
