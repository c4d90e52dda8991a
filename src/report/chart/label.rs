//! Labels beside a chart, moved apart until none lies on another.

/// Points of height that a line of a label takes.
pub(super) const LINE: i64 = 11;

/// Letters of a label's line at most: as many as fit beside the plot.
const LETTERS: usize = 33;

/// How wide a text of the labels' size is at most, in points.
pub(super) fn width(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX / 8).saturating_mul(6)
}

/// A text in lines that fit beside the plot, broken at spaces, or inside a word that is longer than a line.
pub(super) fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + rest.len() > LETTERS {
            lines.push(String::new());
        }
        while !rest.is_empty() {
            let line = lines.last().map_or(0, |line| line.chars().count());
            let space = usize::from(line > 0);
            let room = LETTERS.saturating_sub(line + space);
            let cut: Vec<char> = rest.drain(..rest.len().min(room)).collect();
            if let Some(line) = lines.last_mut() {
                line.push_str(if space == 1 { " " } else { "" });
                line.extend(cut);
            }
            if !rest.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines
}

/// Moves things with a height along one axis until none lies on another: each keeps as near to where it wants to be as
/// the ones before it allow, and none ends beyond `bottom` as long as they fit at all. Answers the upper edges in the
/// order of the things, which are sorted by where they want to be.
pub(super) fn spread(wanted: &[(i64, i64)], top: i64, bottom: i64) -> Vec<i64> {
    let mut edges = Vec::with_capacity(wanted.len());
    let mut free = top;
    for (middle, height) in wanted {
        let edge = free.max(middle - height / 2);
        edges.push(edge);
        free = edge + height;
    }
    let mut limit = bottom;
    for (edge, (_, height)) in edges.iter_mut().zip(wanted).rev() {
        *edge = (*edge).min(limit - height);
        limit = *edge;
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_move_apart_and_stay_inside() {
        assert_eq!(spread(&[(50, 10), (52, 10), (90, 10)], 0, 100), [45, 55, 85]);
        assert_eq!(spread(&[(95, 10), (98, 10)], 0, 100), [80, 90]);
        assert_eq!(spread(&[], 0, 100), Vec::<i64>::new());
    }

    #[test]
    fn long_labels_are_broken_and_lose_no_letter() {
        let text = "induction: a reason is needed above 0.6 mg/kg";
        let lines = wrapped(text);
        assert!(lines.len() == 2 && lines.iter().all(|line| line.chars().count() <= LETTERS));
        assert_eq!(lines.join(" "), text);
        let word = "x".repeat(70);
        assert_eq!(wrapped(&word).concat(), word);
        assert_eq!(wrapped(""), [""]);
    }
}
