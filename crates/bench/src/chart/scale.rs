//! From values to pixels.

/// An axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    least: f64,
    most: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// Equal differences are equally far apart.
    pub(crate) const fn linear(least: f64, most: f64) -> Self {
        Self { least, most, is_logarithmic: false }
    }

    /// Equal ratios are equally far apart; both ends must be above 0.
    pub(crate) const fn logarithmic(least: f64, most: f64) -> Self {
        Self { least, most, is_logarithmic: true }
    }

    /// From the round number below all values to the round number above them: whole numbers, as ticks are labelled.
    pub(crate) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) =
            values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        if least > most {
            return Self::linear(0.0, 1.0);
        }
        let step = whole_step((most - least).max(most.abs() / 100.0) / 4.0);
        let (least, most) = ((least / step).floor() * step, (most / step).ceil() * step);
        match most > least {
            true => Self::linear(least, most),
            false if least > 0.0 => Self::linear(least - step, most),
            false => Self::linear(least, most + step),
        }
    }

    /// 0 at the one end, 1 at the other; what is beyond stays at the end.
    pub(super) fn place(self, value: f64) -> f64 {
        let map = |value: f64| if self.is_logarithmic { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let (least, most) = (map(self.least), map(self.most));
        if most > least { ((map(value) - least) / (most - least)).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Round numbers to label on a linear axis, about as many as said.
    pub(crate) fn ticks(self, about: f64) -> Vec<f64> {
        self.multiples(whole_step((self.most - self.least) / about))
    }

    /// The multiples of a step that are on the axis.
    pub(crate) fn multiples(self, step: f64) -> Vec<f64> {
        let first = (self.least / step).ceil() * step;
        let mut ticks = Vec::new();
        let mut tick = first;
        while tick <= self.most + step / 1_000.0 {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }
}

/// The next of 1, 2, 5, 10, 20, 50 …
fn whole_step(step: f64) -> f64 {
    let step = step.max(1.0);
    let power = 10_f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| round * power >= step * 0.999);
    round.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "round numbers")]

    use super::*;

    #[test]
    fn ends_and_ticks_are_round() {
        let scale = Scale::around([53.0, 98.5].into_iter());
        assert_eq!(scale, Scale::linear(40.0, 100.0));
        assert_eq!(scale.ticks(4.0), [40.0, 60.0, 80.0, 100.0]);
        assert_eq!([40.0, 70.0, 100.0, 200.0].map(|value| scale.place(value)), [0.0, 0.5, 1.0, 1.0]);
        assert_eq!(Scale::around([13.6, 14.2].into_iter()).ticks(4.0), [13.0, 14.0, 15.0]);
        assert_eq!(Scale::around([100.0, 100.0].into_iter()), Scale::linear(99.0, 100.0));
        assert_eq!(Scale::around([0.0].into_iter()), Scale::linear(0.0, 1.0));
        assert_eq!(Scale::around(std::iter::empty()), Scale::linear(0.0, 1.0));
    }

    #[test]
    fn on_a_logarithmic_axis_ratios_are_lengths() {
        let scale = Scale::logarithmic(1.0, 100.0);
        assert!((scale.place(10.0) - 0.5).abs() < 1e-9 && scale.place(0.0) == 0.0);
    }
}
