//! The binary as an operator meets it: arguments, output, exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use tempfile::TempDir;

/// An empty working directory to run the binary in.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(&[], arguments)
    }

    fn run_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        Run(self.command(arguments).envs(environment.iter().copied()).output().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holodrive"));
        command.args(arguments).current_dir(self.path()).env_clear().stdin(Stdio::null());
        command
    }
}

struct Run(Output);

impl Run {
    fn status(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    /// The words of the line of `holodrive config` for a variable.
    fn setting(&self, variable: &str) -> Vec<String> {
        let stdout = self.stdout();
        let line = stdout.lines().find(|line| line.split(' ').next() == Some(variable)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// The one line on standard error of a command that failed.
    fn failure(&self) -> String {
        assert_eq!(self.status(), 1, "{}", self.stderr());
        let stderr = self.stderr();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        stderr.trim_end().to_owned()
    }
}

#[test]
fn config_tells_each_source_and_precedence_holds() {
    let folder = Folder::new();
    fs::write(folder.path().join(".env"), "WEBSOCKET_PORT=1001\nDISPATCH_MODE=manual\nORDER_OFFER_TIMEOUT=7\n")
        .unwrap();
    let environment = [("WEBSOCKET_PORT", "1002"), ("DISPATCH_MODE", "auto")];
    let run = folder.run_with(&environment, &["config", "--websocket-port", "1003"]);

    assert_eq!(run.status(), 0, "{}", run.stderr());
    assert_eq!(run.setting("WEBSOCKET_PORT")[1..], ["flag", "1003"]);
    assert_eq!(run.setting("DISPATCH_MODE")[1..], ["environment", "auto"]);
    assert_eq!(run.setting("ORDER_OFFER_TIMEOUT")[1..], [".env", "7"]);
    assert_eq!(run.setting("DRIVER_GROUP")[1..], ["default", "Driver"]);
    assert_eq!(run.setting("WEBSOCKET_URL")[1..], ["default", "127.0.0.1:1003"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "config writes nothing");
}

#[test]
fn flags_are_accepted_before_and_after_the_subcommand() {
    let folder = Folder::new();
    for arguments in [["--message-rate", "3", "config"], ["config", "--message-rate", "3"]] {
        assert_eq!(folder.run(&arguments).setting("MESSAGE_RATE")[1..], ["flag", "3"]);
    }
}

#[test]
fn config_masks_secrets() {
    let folder = Folder::new();
    let environment = [
        ("SECRET_KEY", "hunter2"),
        ("API_KEYS", "hunter2"),
        ("JWT_SIGNING_KEY", "hunter2"),
        ("REDIS_URL", "redis://user:hunter2@cache"),
    ];
    let run = folder.run_with(&environment, &["config"]);
    assert!(!run.stdout().contains("hunter2"), "{}", run.stdout());
    assert_eq!(run.setting("REDIS_URL")[2], "redis://********@cache");
}

#[test]
fn a_malformed_value_stops_every_command_with_one_line() {
    let folder = Folder::new();
    for command in ["config", "check", "migrate"] {
        let run = folder.run_with(&[("HEARTBEAT_INTERVAL", "often")], &[command]);
        let line = run.failure();
        assert!(line.starts_with("holodrive: HEARTBEAT_INTERVAL (environment) is \"often\", but must be "), "{line}");
    }
    let line = folder.run(&["config", "--message-rate", "-5"]).failure();
    assert!(line.starts_with("holodrive: MESSAGE_RATE (flag) is \"-5\""), "{line}");
}

#[test]
fn a_broken_dotenv_stops_the_start_with_its_line_number() {
    let folder = Folder::new();
    fs::write(folder.path().join(".env"), "WEBSOCKET_PORT=9000\nSECRET_KEY=two words\n").unwrap();
    let line = folder.run(&["config"]).failure();
    assert!(line.contains(".env: line 2 ") && !line.contains("two words"), "{line}");
}

#[test]
fn usage_errors_are_2_and_help_and_version_are_0() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["frobnicate"]).status(), 2);
    assert_eq!(folder.run(&["config", "--no-such-flag", "1"]).status(), 2);
    assert_eq!(folder.run(&["--version"]).stdout(), format!("holodrive {}\n", env!("CARGO_PKG_VERSION")));

    let help = folder.run(&["--help"]);
    assert_eq!(help.status(), 0);
    assert!(
        help.stdout().contains("Orders and dispatch:") && help.stdout().contains("--order-offer-timeout <SECONDS>")
    );
    assert!(!folder.run(&["-h"]).stdout().contains("--order-offer-timeout"));
    assert!(!folder.run(&["config", "--help"]).stdout().contains("--order-offer-timeout"));
}

#[test]
fn migrate_makes_a_private_database_that_check_finds_in_order() {
    let folder = Folder::new();
    let before = folder.run(&["check"]);
    assert_eq!(before.status(), 0, "{}", before.stdout());
    assert!(before.stdout().contains("warn  database"), "{}", before.stdout());
    assert!(!folder.path().join("data").exists(), "check writes nothing");

    assert_eq!(folder.run(&["migrate"]).status(), 0);
    assert_eq!(folder.run(&["migrate"]).status(), 0, "a second time");
    assert_eq!(fs::metadata(folder.path().join("data")).unwrap().permissions().mode() & 0o777, 0o700);

    let after = folder.run(&["check"]).stdout();
    assert!(after.contains("ok    database        data/holodrive.db, journal_mode=WAL, synchronous=FULL"), "{after}");
    assert!(after.contains("ok    migrations      all applied"), "{after}");
    assert!(after.contains("warn  drivers"), "{after}");
}

#[test]
fn check_fails_where_the_users_are_not_where_the_settings_say() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["migrate"]).status(), 0);
    let run = folder.run(&["check", "--auth-login-field", "phone", "--auth-user-groups-table", "app_user_groups"]);
    assert_eq!(run.failure(), "holodrive: 2 checks failed");
    assert!(run.stdout().contains("table auth_user has no column phone"), "{}", run.stdout());
    assert!(run.stdout().contains("no table app_user_groups"), "{}", run.stdout());
}

#[test]
fn check_warns_of_weak_secrets_and_of_addresses_that_do_not_work() {
    let folder = Folder::new();
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let environment =
        [("WEBSOCKET_HOST", "0.0.0.0"), ("WEBSOCKET_PORT", &*port), ("SECRET_KEY", "short"), ("API_KEYS", "short")];
    let output = folder.run_with(&environment, &["check"]).stdout();
    for finding in ["warn  secret key", "warn  API keys", "warn  listening", "warn  public address"] {
        assert!(output.contains(finding), "{finding} is not in\n{output}");
    }
    let run = folder.run(&["check", "--websocket-host", "192.0.2.1"]);
    assert_eq!(run.failure(), "holodrive: 1 check failed");
    assert!(run.stdout().contains("FAIL  listening"), "{}", run.stdout());
}

#[test]
fn a_server_that_does_not_answer_is_named_without_its_password() {
    let folder = Folder::new();
    // Nothing listens on the port of the echo service.
    let line = folder.run(&["migrate", "--database-url", "postgres://app:hunter2@127.0.0.1:7/ride"]).failure();
    assert!(line.starts_with("holodrive: DATABASE_URL: "), "{line}");
    assert!(line.contains("Connection refused"), "{line}");
    assert!(!line.contains("hunter2"));
}

#[test]
fn user_add_prints_the_user_and_refuses_a_second_of_the_name() {
    let folder = Folder::new();
    let add =
        ["user", "add", "olim", "--password", "hunter2", "--first-name", "Olim", "--group", "Driver", "--group", "Vip"];
    let run = folder.run(&add);
    assert_eq!(run.status(), 0, "{}", run.stderr());
    assert_eq!(run.stdout(), "{\"id\":1,\"username\":\"olim\"}\n");
    assert!(folder.run(&["check"]).stdout().contains("ok    drivers         group Driver"));

    let line = folder.run(&add).failure();
    assert!(line.starts_with("holodrive: ") && !line.contains("hunter2"), "{line}");
    assert_eq!(
        folder.run(&["user", "add", "nodira", "--staff", "--password", "x"]).stdout(),
        "{\"id\":2,\"username\":\"nodira\"}\n"
    );
}

#[test]
fn user_add_takes_the_password_from_standard_input_where_there_is_no_terminal() {
    let folder = Folder::new();
    let mut command = folder.command(&["user", "add", "olim"]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(b"hunter2\n").unwrap();
    let run = Run(process.wait_with_output().unwrap());
    assert_eq!(run.stdout(), "{\"id\":1,\"username\":\"olim\"}\n", "{}", run.stderr());

    assert!(folder.run(&["user", "add", "nodira"]).failure().contains("password must not be empty"));
}

#[test]
fn token_prints_an_access_token_that_lasts_as_asked() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["user", "add", "olim", "--password", "x"]).status(), 0);
    for (arguments, seconds) in [(&["token", "olim"][..], 300), (&["token", "olim", "--lifetime", "1h"], 3_600)] {
        let run = folder.run(arguments);
        let token = run.stdout();
        let claims = URL_SAFE_NO_PAD.decode(token.trim_end().split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["token_type"], "access");
        assert_eq!(claims["user_id"], "1");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), seconds);
    }
    assert_eq!(folder.run(&["token", "nobody"]).failure(), "holodrive: there is no user \"nobody\"");
    assert_eq!(folder.run(&["token", "olim", "--lifetime", "soon"]).status(), 2);
}

#[test]
fn keys_that_do_not_fit_the_algorithm_fail_the_check_and_the_start() {
    let folder = Folder::new();
    let run = folder.run(&["check", "--jwt-algorithm", "RS256"]);
    assert_eq!(run.failure(), "holodrive: 1 check failed");
    assert!(
        run.stdout().contains("FAIL  tokens          JWT_ALGORITHM RS256 needs JWT_VERIFYING_KEY"),
        "{}",
        run.stdout()
    );
    let start = folder.run(&["serve", "--websocket-port", "0", "--jwt-algorithm", "RS256", "--log-level", "error"]);
    assert!(start.failure().contains("JWT_VERIFYING_KEY"));
}

#[test]
fn serve_makes_what_it_needs_answers_and_stops_in_order() {
    let folder = Folder::new();
    // Without a subcommand: `serve` is the default.
    let mut server = Running::start(&folder, &["--websocket-port", "0", "--drain-timeout", "0"]);
    let answer = server.get("/no/such/path");
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("\"code\":\"not_found\""), "{answer}");
    assert!(server.get("/ws/no-such-socket/").starts_with("HTTP/1.1 404 "));
    let key = folder.path().join("data/secret_key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.terminate(), Some(0));
    assert!(TcpStream::connect(&server.address).is_err(), "it no longer listens");

    let before = fs::read(&key).unwrap();
    let mut again = Running::start(&folder, &["serve", "--websocket-port", "0", "--drain-timeout", "0"]);
    assert_eq!(again.terminate(), Some(0));
    assert_eq!(fs::read(&key).unwrap(), before);
}

#[test]
fn serve_refuses_an_address_in_use_and_the_demo_on_a_public_one() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let line = folder.run(&["serve", "--websocket-port", &port.to_string()]).failure();
    assert!(line.contains(&format!("127.0.0.1, port {port} (WEBSOCKET_HOST, WEBSOCKET_PORT)")), "{line}");

    let line = folder.run(&["serve", "--demo", "--websocket-host", "0.0.0.0"]).failure();
    assert!(line.contains("WEBSOCKET_HOST"), "{line}");
    assert_eq!(folder.run(&["--demo", "migrate"]).status(), 2);
}

/// A server process; it is killed with the test.
struct Running {
    process: Child,
    address: String,
}

impl Running {
    /// Starts it and waits until it listens. From then on nobody reads its log, and it has to bear that.
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut process = folder.command(arguments).env("LOG_FORMAT", "json").stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let address = log.lines().find_map(|line| address_in(&line.unwrap())).expect("it listens");
        Self { process, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends SIGTERM and waits for the exit status.
    fn terminate(&mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has already ended where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn address_in(line: &str) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    (event["message"] == "listening").then(|| event["address"].as_str().map(str::to_owned))?
}

#[test]
fn hooks_need_a_secret_and_known_names() {
    let folder = Folder::new();
    let url = ("HOOKS_URL", "http://127.0.0.1:9/hooks/");
    assert_eq!(
        folder.run_with(&[url], &["serve"]).failure(),
        "holodrive: HOOKS_URL is set, so HOOKS_SECRET must be, too: the same as in the back end"
    );
    let odd = [url, ("HOOKS_SECRET", "s3cret"), ("HOOKS", "connected,chat")];
    let failure = folder.run_with(&odd, &["serve"]).failure();
    assert!(failure.starts_with("holodrive: HOOKS (environment) is \"connected,chat\", but must be "), "{failure}");
}

#[test]
fn check_tells_whether_the_back_end_answers_its_hooks() {
    let folder = Folder::new();
    assert!(!folder.run(&["check"]).stdout().contains("hooks"));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/hooks/");
    let run = folder.run_with(&[("HOOKS_URL", &url), ("HOOKS_SECRET", "s3cret")], &["check"]);
    assert_eq!(run.failure(), "holodrive: 1 check failed");
    let output = run.stdout();
    assert!(output.contains("FAIL  hooks           the back end does not answer"), "{output}");
    assert!(output.contains("warn  hooks           HOOKS_SECRET is shorter than 20 characters"), "{output}");
    assert!(!output.contains("http:// to another machine") && !output.contains("s3cret"), "{output}");
    let far = [("HOOKS_URL", "http://192.0.2.1/"), ("HOOKS_SECRET", "s3cret"), ("HOOKS_TIMEOUT", "0.1")];
    let output = folder.run_with(&far, &["check"]).stdout();
    assert!(output.contains("warn  hooks           HOOKS_URL is http:// to another machine"), "{output}");
}
