//! Tashkent: places, distances and ways.

use holodrive_protocol::{Latitude, Longitude, Order, http::CreateOrder};

use super::dice::Dice;

/// Kilometres for one degree of latitude.
const KM_PER_DEGREE: f64 = 111.2;
/// How far from a place's middle one is picked up, in degrees: about 150 m.
const SPREAD_DEGREES: f64 = 0.0014;
/// How long a ride is, in kilometres as the crow flies: short, so that something happens.
const RIDE_KM: std::ops::Range<f64> = 0.6..1.7;

/// A place that people go to and come from.
#[derive(Clone, Copy, Debug)]
struct Place {
    address: &'static str,
    at: Point,
}

const fn place(address: &'static str, latitude: f64, longitude: f64) -> Place {
    Place { address, at: Point { latitude, longitude } }
}

const PLACES: [Place; 14] = [
    place("Chorsu bozori", 41.3265, 69.2350),
    place("Toshkent sirki", 41.3235, 69.2434),
    place("Hadra maydoni", 41.3247, 69.2470),
    place("Xonobod ko'chasi 12", 41.3121, 69.2405),
    place("Tashkent City bog'i", 41.3149, 69.2480),
    place("Magic City", 41.3037, 69.2459),
    place("Milliy bog'", 41.3045, 69.2354),
    place("Alisher Navoiy metrosi", 41.3189, 69.2535),
    place("O'zbekiston shoh ko'chasi 7", 41.3125, 69.2560),
    place("Olmazor ko'chasi 45", 41.3298, 69.2301),
    place("Beshyog'och maydoni", 41.3040, 69.2394),
    place("Qatortol ko'chasi 3", 41.3075, 69.2300),
    place("Samarqand Darvoza", 41.3175, 69.2290),
    place("Paxtakor stadioni", 41.3177, 69.2596),
];

/// A point of the city, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    latitude: f64,
    longitude: f64,
}

impl Point {
    /// Where an order begins.
    pub(super) fn pickup(order: &Order) -> Self {
        Self { latitude: order.latitude_from.degrees(), longitude: order.longitude_from.degrees() }
    }

    /// Where an order ends.
    pub(super) fn destination(order: &Order) -> Self {
        Self { latitude: order.latitude_to.degrees(), longitude: order.longitude_to.degrees() }
    }

    /// Somewhere in the city.
    pub(super) fn anywhere(dice: &mut Dice) -> Self {
        let place = dice.pick(&PLACES).unwrap_or(PLACES[0]);
        place.at.nearby(dice)
    }

    /// A point around the corner.
    pub(super) fn nearby(self, dice: &mut Dice) -> Self {
        let mut shift = || dice.number(-SPREAD_DEGREES..SPREAD_DEGREES);
        Self { latitude: self.latitude + shift(), longitude: self.longitude + shift() }
    }

    /// On a plane, which is close enough within a city.
    pub(super) fn km_to(self, other: Self) -> f64 {
        let north = (other.latitude - self.latitude) * KM_PER_DEGREE;
        let east = (other.longitude - self.longitude) * KM_PER_DEGREE * self.latitude.to_radians().cos();
        north.hypot(east)
    }

    /// The point `km` further on the straight way to `target`, and not beyond it.
    pub(super) fn toward(self, target: Self, km: f64) -> Self {
        let distance = self.km_to(target);
        if distance <= km {
            return target;
        }
        let part = km / distance;
        let between = |from: f64, to: f64| from + (to - from) * part;
        Self { latitude: between(self.latitude, target.latitude), longitude: between(self.longitude, target.longitude) }
    }

    /// As messages carry it; `None` outside of the globe.
    pub(super) fn coordinates(self) -> Option<(Latitude, Longitude)> {
        Some((Latitude::from_degrees(self.latitude)?, Longitude::from_degrees(self.longitude)?))
    }
}

/// A ride between two places.
pub(super) fn random_ride(dice: &mut Dice) -> Option<CreateOrder> {
    let from = dice.pick(&PLACES)?;
    let reachable: Vec<_> = PLACES.into_iter().filter(|to| RIDE_KM.contains(&from.at.km_to(to.at))).collect();
    let to = dice.pick(&reachable)?;
    let (latitude_from, longitude_from) = from.at.nearby(dice).coordinates()?;
    let (latitude_to, longitude_to) = to.at.nearby(dice).coordinates()?;
    Some(CreateOrder {
        address_from: from.address.to_owned(),
        address_to: to.address.to_owned(),
        latitude_from,
        longitude_from,
        latitude_to,
        longitude_to,
        order_type: None,
        pickup_at: None,
        vehicle_class: None,
        seats: None,
        rider_id: None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CHORSU: Point = PLACES[0].at;
    const STADIUM: Point = PLACES[13].at;

    #[test]
    fn a_way_gets_shorter_by_what_was_driven_and_ends_at_its_target() {
        let all = CHORSU.km_to(STADIUM);
        let left = CHORSU.toward(STADIUM, 1.0).km_to(STADIUM);
        assert!((all - left - 1.0).abs() < 0.001, "{all} km, then {left} km");
        assert_eq!(CHORSU.toward(STADIUM, all + 1.0), STADIUM);
        assert_eq!(CHORSU.toward(CHORSU, 1.0), CHORSU);
    }

    #[test]
    fn every_place_has_a_ride_that_begins_and_ends_in_the_city() {
        for from in PLACES {
            assert!(PLACES.iter().any(|to| RIDE_KM.contains(&from.at.km_to(to.at))), "{}", from.address);
        }
        let mut dice = Dice::new(1);
        for _ in 0..200 {
            let ride = random_ride(&mut dice).unwrap();
            assert!((41.29..41.34).contains(&ride.latitude_from.degrees()), "{ride:?}");
            assert!((69.22..69.27).contains(&ride.longitude_to.degrees()), "{ride:?}");
            assert_ne!(ride.address_from, ride.address_to);
        }
    }
}
