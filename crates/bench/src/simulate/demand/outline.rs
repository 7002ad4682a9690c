//! Outlines with fewer corners.

/// Leaves out corners that are not farther than `tolerance` from the line that takes their place (Douglas and Peucker).
pub(super) fn simplified(outline: &[(f64, f64)], tolerance: f64) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (outline.first(), outline.last()) else { return Vec::new() };
    // An outline that ends where it begins has no line from end to end: it is cut at its farthest corner.
    let farthest = farthest_from(outline, |corner| distance(*corner, *first));
    let mut kept = match farthest {
        Some((index, _)) if first == last => {
            let mut kept = simplified_line(&outline[..=index], tolerance);
            kept.pop();
            kept.extend(simplified_line(&outline[index..], tolerance));
            kept
        }
        _ => simplified_line(outline, tolerance),
    };
    if first == last && kept.len() > 1 {
        kept.pop();
    }
    kept
}

fn simplified_line(line: &[(f64, f64)], tolerance: f64) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (line.first().copied(), line.last().copied()) else { return Vec::new() };
    match farthest_from(line, |corner| distance_to_line(*corner, first, last)) {
        Some((index, away)) if away > tolerance && index > 0 && index + 1 < line.len() => {
            let mut kept = simplified_line(&line[..=index], tolerance);
            kept.pop();
            kept.extend(simplified_line(&line[index..], tolerance));
            kept
        }
        _ => vec![first, last],
    }
}

fn farthest_from(corners: &[(f64, f64)], measure: impl Fn(&(f64, f64)) -> f64) -> Option<(usize, f64)> {
    corners.iter().map(measure).enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))
}

fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

fn distance_to_line(corner: (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let length = distance(from, to);
    let cross = (to.0 - from.0) * (corner.1 - from.1) - (to.1 - from.1) * (corner.0 - from.0);
    if length > 0.0 { (cross / length).abs() } else { distance(corner, from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_corners_that_make_a_difference_stay() {
        let outline =
            [(0.0, 0.0), (1.0, 0.01), (2.0, 0.0), (2.0, 1.0), (1.99, 2.0), (1.0, 2.0), (0.0, 2.0), (0.0, 0.0)];
        assert_eq!(simplified(&outline, 0.1), [(0.0, 0.0), (2.0, 0.0), (1.99, 2.0), (0.0, 2.0)]);
        assert_eq!(simplified(&outline, 0.001).len(), 6);
        assert_eq!(simplified(&[], 0.1), []);
    }
}
