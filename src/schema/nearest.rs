//! The word that a misspelt one most likely means.

/// The one of `words` nearest to `word`, if any is near enough to be worth saying.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let room = 1 + word.chars().count() / 4;
    words
        .into_iter()
        .map(|it| {
            let distance = strsim::damerau_levenshtein(&lower, it);
            // `path` for `paths`, `origin` for `origins`, `api-spec` for `api_specification`.
            let begins = lower.len() >= 3 && it.starts_with(&lower);
            (if begins { distance.min(1) } else { distance }, it)
        })
        .filter(|(distance, _)| *distance <= room)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["paths", "plugins", "name", "strip_path", "api_specification"];
        for (word, expected) in [
            ("path", Some("paths")),
            ("pahts", Some("paths")),
            ("Name", Some("name")),
            ("stripPath", Some("strip_path")),
            ("api_spec", Some("api_specification")),
            ("timeout", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }
}
