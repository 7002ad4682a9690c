#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    compare::{machine::Machine, results::Server},
    load::Figures,
};

fn results(servers: &[(Peer, &str, &[f64])]) -> Results {
    let mut results = Results {
        scenario: "durable".to_owned(),
        command: String::new(),
        date: String::new(),
        machine: Machine::default(),
        servers: [].into(),
    };
    for (peer, figure, values) in servers {
        let round = |value: &f64| {
            let mut figures = Figures::default();
            figures.set(figure, *value);
            figures
        };
        let rounds = values.iter().map(round).collect();
        results.servers.insert(peer.name(), Server { version: String::new(), rounds });
    }
    results
}

#[test]
fn a_bound_may_be_reached_exactly() {
    let measured = |value| results(&[(Peer::Holodrive, "x", &[value, value, 9.0])]);
    assert!(matches!(at_least("x", 2.0).verdict(Some(&measured(2.0))), Verdict::Met(_)));
    assert!(matches!(at_least("x", 2.1).verdict(Some(&measured(2.0))), Verdict::Missed(_)));
    assert!(matches!(at_most("x", 2.0).verdict(Some(&measured(2.0))), Verdict::Met(_)));
    assert!(matches!(at_most("x", 1.9).verdict(Some(&measured(2.0))), Verdict::Missed(_)));
}

#[test]
fn a_ratio_is_made_to_the_best_of_the_same_round() {
    let measured = results(&[
        (Peer::Holodrive, "x", &[10.0, 30.0]),
        (Peer::Uvicorn, "x", &[5.0, 3.0]),
        (Peer::Daphne, "x", &[2.0, 6.0]),
    ]);
    let of = &[Peer::Uvicorn, Peer::Daphne];
    assert_eq!(at_least("x", 3.0).times(of).measured(&measured), [2.0, 5.0]);
    assert_eq!(at_most("x", 3.0).times(of).measured(&measured), [5.0, 10.0]);
}

#[test]
fn what_was_not_measured_is_not_met() {
    let alone = results(&[(Peer::Holodrive, "x", &[1.0])]);
    assert_eq!(at_least("x", 1.0).times(&[Peer::Bun]).verdict(Some(&alone)), Verdict::NotMeasured);
    assert_eq!(at_least("x", 1.0).verdict(None), Verdict::NotMeasured);
    let gate = Gate::new(&[], &["idle".to_owned()]);
    assert!(gate.check().unwrap_err().to_string().contains("idle ≤ 1.00"));
}

#[test]
fn the_gate_tells_each_target_and_fails_with_one() {
    let entry = SCENARIOS.iter().find(|entry| entry.name == "durable").unwrap();
    let figures: [(Peer, &str, &[f64]); 3] = [
        (Peer::Holodrive, "messages_per_s", &[20_000.0]),
        (Peer::BunSqlite, "messages_per_s", &[5_000.0]),
        (Peer::Uvicorn, "messages_per_s", &[1_000.0]),
    ];
    let gate = Gate::new(&[(entry, results(&figures))], &["durable".to_owned()]);
    let table = gate.table();
    assert!(table.contains("| ≥ 3.00 × Bun + SQLite | 4.00 | 4.00 – 4.00 | 1 | met |"), "{table}");
    assert!(table.contains("| ≥ 25.00 × the best Django | 20.00 | 20.00 – 20.00 | 1 | **missed** |"), "{table}");
    assert_eq!(gate.check().unwrap_err().to_string(), "missed or not measured: durable ≥ 25.00 × the best Django");
}

#[test]
fn every_target_is_a_column_of_its_scenario() {
    for entry in SCENARIOS {
        for target in entry.targets {
            assert!(entry.columns.iter().any(|(figure, ..)| *figure == target.figure), "{} {target:?}", entry.name);
            assert!(target.of.iter().all(|peer| entry.peers.contains(peer)), "{} {target:?}", entry.name);
        }
    }
}
