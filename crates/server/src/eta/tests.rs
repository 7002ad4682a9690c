use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use holodrive_protocol::{Latitude, Longitude};
use tokio::time::{sleep, timeout};

use super::{
    estimates::Estimates,
    testing::{Mood, OsrmServer},
    *,
};

const DRIVER: UserId = UserId::Int(7);

fn point(latitude: f64, longitude: f64) -> Point {
    Point {
        latitude: Latitude::from_degrees(latitude).unwrap(),
        longitude: Longitude::from_degrees(longitude).unwrap(),
    }
}

/// So many kilometres north of the pickup.
fn north(km: f64) -> Point {
    point(41.3 + km / 111.195, 69.25)
}

fn metric(metrics: &Metrics, name: &str) -> String {
    let text = metrics.encode();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
}

fn eta(settings: &[(&str, &str)]) -> (Eta, Arc<Metrics>) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::for_tests(folder.path(), settings).unwrap();
    let metrics = Arc::new(Metrics::new());
    (Eta::new(&config, &metrics).unwrap(), metrics)
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.expect("it does not come to that");
}

#[test]
fn the_straight_line_by_hand() {
    let (eta, _) = eta(&[]);
    // 10 km × 1.4 at 25 km/h are 33 minutes and 36 seconds.
    assert!(eta.seconds(DRIVER, north(10.0), north(0.0)).abs_diff(2016) <= 1);
    assert_eq!(eta.seconds(DRIVER, north(0.0), north(0.0)), 0);
    let faster = self::eta(&[("ETA_SPEED_KMH", "50"), ("ETA_DETOUR_FACTOR", "1")]).0;
    assert!(faster.seconds(DRIVER, north(10.0), north(0.0)).abs_diff(720) <= 1);
    let around = faster.seconds(DRIVER, point(0.0, 179.9), point(0.0, -179.9));
    assert!(around.abs_diff(1601) <= 1, "the date line is no border: {around}");
    assert!(faster.seconds(DRIVER, point(90.0, 0.0), point(-90.0, 0.0)) > 1_000_000, "from pole to pole");
}

#[tokio::test]
async fn the_straight_line_is_a_travel_time_too() {
    let straight = StraightLine { detour: 1.4, km_per_hour: 25.0 };
    let time = straight.travel_time(north(10.0), north(0.0)).await.unwrap();
    assert_eq!(time, straight.time(north(10.0), north(0.0)));
}

#[tokio::test]
async fn the_roads_count_once_they_are_known() {
    let osrm = OsrmServer::start(Mood::Takes(1234.4)).await;
    let (eta, metrics) = eta(&[("ROUTING_URL", &osrm.url())]);
    let (there, here) = (point(41.31, 69.24), point(41.3, 69.25));
    assert!(eta.seconds(DRIVER, there, here) < 400, "at first it is the straight line");
    until(|| eta.seconds(DRIVER, there, here) == 1234).await;
    assert_eq!(osrm.asked(), ["69.240000,41.310000;69.250000,41.300000"], "longitude first, and asked once");
    assert_eq!(metric(&metrics, "holodrive_routing_requests_total{outcome=\"done\"}"), "1");
}

#[tokio::test]
async fn while_a_driver_moves_the_time_goes_on_and_is_asked_for_again() {
    let osrm = OsrmServer::start(Mood::Takes(600.0)).await;
    let (eta, _) = eta(&[("ROUTING_URL", &osrm.url())]);
    let eta_at = |km| eta.seconds(DRIVER, north(km), north(0.0));
    until(|| eta_at(2.0) == 600).await;
    // 50 m are 10 s.
    assert_eq!(eta_at(1.95), 590);
    assert_eq!(osrm.asked().len(), 1);
    osrm.set_mood(Mood::Takes(500.0));
    assert_eq!(eta_at(1.8), 560, "until the service has answered");
    until(|| eta_at(1.8) == 500).await;
    assert_eq!(osrm.asked().len(), 2);
}

#[tokio::test]
async fn without_a_road_or_a_service_the_straight_line_counts() {
    let osrm = OsrmServer::start(Mood::NoWay).await;
    let (eta, metrics) = eta(&[("ROUTING_URL", &osrm.url()), ("ROUTING_TIMEOUT", "0.2")]);
    let asked = |outcome: &str| metric(&metrics, &format!("holodrive_routing_requests_total{{outcome=\"{outcome}\"}}"));
    let by_line = self::eta(&[]).0.seconds(DRIVER, north(1.0), north(0.0));
    assert_eq!((asked("no_route"), asked("failed")), ("0".to_owned(), "0".to_owned()));

    assert_eq!(eta.seconds(DRIVER, north(1.0), north(0.0)), by_line);
    until(|| asked("no_route") == "1").await;
    eta.seconds(UserId::Int(8), point(10.0, 10.0), north(0.0));
    until(|| asked("no_route") == "2").await;
    for (id, mood) in [(9, Mood::Broken), (10, Mood::Silent)] {
        osrm.set_mood(mood);
        eta.seconds(UserId::Int(id), north(1.0), north(0.0));
        until(|| asked("failed") == (id - 8).to_string()).await;
    }
    assert_eq!(eta.seconds(DRIVER, north(1.0), north(0.0)), by_line);
    assert_eq!(osrm.asked().len(), 4, "who got no answer is left alone for a while");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_counted() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (eta, metrics) = eta(&[("ROUTING_URL", &format!("http://{gone}"))]);
    let by_line = self::eta(&[]).0.seconds(DRIVER, north(1.0), north(0.0));
    assert_eq!(eta.seconds(DRIVER, north(1.0), north(0.0)), by_line);
    until(|| metric(&metrics, "holodrive_routing_requests_total{outcome=\"failed\"}") == "1").await;
}

#[tokio::test]
async fn a_silent_service_holds_up_nobody_and_gets_few_questions_at_once() {
    let osrm = OsrmServer::start(Mood::Silent).await;
    let (eta, _) = eta(&[("ROUTING_URL", &osrm.url()), ("ROUTING_TIMEOUT", "60")]);
    for id in 0..1_000 {
        eta.seconds(UserId::Int(id), north(1.0), north(0.0));
    }
    osrm.wait_for(8).await;
    assert_eq!(osrm.asked().len(), 8);
}

#[test]
fn what_is_remembered_is_bounded() {
    let (mut estimates, now) = (Estimates::default(), Instant::now());
    let begun = (0..100_000).filter(|id| estimates.begin((UserId::Int(*id), north(0.0)), north(1.0), now)).count();
    assert_eq!(begun, 256, "so many wait at the most");
    let way = (UserId::Int(0), north(0.0));
    estimates.learn(way, north(1.0), &Ok(Duration::from_secs(90)), now);
    let known = |estimates: &mut Estimates| estimates.time(way, north(1.0), |_| Duration::ZERO);
    assert_eq!(known(&mut estimates), Some(Duration::from_secs(90)));
    for id in 1_000..100_000 {
        let way = (UserId::Int(id), north(0.0));
        if estimates.begin(way, north(1.0), now) {
            estimates.learn(way, north(1.0), &Ok(Duration::ZERO), now);
        }
    }
    assert_eq!(known(&mut estimates), None, "it was forgotten for others");
}

#[test]
fn who_is_on_his_way_is_not_forgotten_for_others() {
    let (mut estimates, now) = (Estimates::default(), Instant::now());
    let his = (UserId::Int(0), north(0.0));
    assert!(estimates.begin(his, north(1.0), now));
    estimates.learn(his, north(1.0), &Ok(Duration::from_secs(90)), now);
    for id in 1..100_000 {
        let offered = (UserId::Int(id), north(0.0));
        assert!(estimates.begin(offered, north(1.0), now));
        estimates.learn(offered, north(1.0), &Ok(Duration::ZERO), now);
        if id % 1_000 == 0 {
            assert_eq!(estimates.time(his, north(1.0), |_| Duration::ZERO), Some(Duration::from_secs(90)));
        }
    }
}
