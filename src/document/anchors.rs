//! Anchors that are used: the keys of the top level whose values define nodes for aliases elsewhere.

use std::collections::HashMap;

use granit_parser::{Event, Parser};

use super::yaml;

/// The keys of the top level whose values contain an anchor that an alias outside of the value names.
#[must_use]
pub fn keys_with_used_anchors(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('\u{feff}');
    let mut keys: Vec<TopLevelKey> = Vec::new();
    let mut holders: HashMap<usize, usize> = HashMap::new();
    let mut depth = 0_usize;
    let mut awaits_key = true;
    for (event, _) in Parser::new_from_str_with_options(text, yaml::parser_options()).map_while(Result::ok) {
        if depth == 1
            && awaits_key
            && let Event::Scalar(key, ..) = &event
        {
            keys.push(TopLevelKey { key: key.to_string(), is_used: false });
            awaits_key = false;
            continue;
        }
        let current = keys.len().checked_sub(1);
        if let (Some(anchor), Some(current)) = (anchor_of(&event), current) {
            holders.insert(anchor, current);
        }
        if let Event::Alias(anchor) = &event
            && let Some(holder) = holders.get(anchor).filter(|holder| Some(**holder) != current)
        {
            keys[*holder].is_used = true;
        }
        match &event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            Event::DocumentEnd => break,
            _ => {}
        }
        if depth == 1
            && matches!(event, Event::Scalar(..) | Event::Alias(_) | Event::SequenceEnd | Event::MappingEnd)
        {
            awaits_key = true;
        }
    }
    keys.into_iter().filter(|key| key.is_used).map(|key| key.key).collect()
}

struct TopLevelKey {
    key: String,
    is_used: bool,
}

fn anchor_of(event: &Event<'_>) -> Option<usize> {
    match event {
        Event::Scalar(_, _, anchor, _)
        | Event::SequenceStart(_, anchor, _)
        | Event::MappingStart(_, anchor, _)
            if *anchor > 0 =>
        {
            Some(*anchor)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hold_used_anchors_if_an_alias_elsewhere_names_one() {
        for (text, expected) in [
            ("x: &a {b: 1}\nc: *a\n", vec!["x"]),
            ("x: {b: [&a 1]}\nc: {<<: [*a]}\n", vec!["x"]),
            ("x: &a 1\nc: 1\n", vec![]),
            ("x: [&a 1, *a]\nc: 1\n", vec![]),
            ("x: &a 1\ny: &b 2\nz: &c 3\ns: [*a, *c]\n", vec!["x", "z"]),
            ("x: &a 1\ny: &a 2\nz: *a\n", vec!["y"]),
            ("x: *none\n", vec![]),
            ("- &a 1\n- *a\n", vec![]),
            ("x: &a 1\n---\nz: *a\n", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(keys_with_used_anchors(text), expected, "{text}");
        }
    }
}
