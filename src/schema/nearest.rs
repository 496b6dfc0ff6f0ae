//! Search for the word that a misspelt one most likely means.

/// The one of `words` nearest to `word`, if any is near enough to be a likely misspelling.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let most_edits = 1 + word.chars().count() / 4;
    words
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, candidate);
            // `path` for `paths`, `origin` for `origins`, `api_spec` for `api_specification`.
            let is_prefix = lower.len() >= 3 && candidate.starts_with(&lower);
            (if is_prefix { distance.min(1) } else { distance }, candidate)
        })
        .filter(|(distance, _)| *distance <= most_edits)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_are_found_and_other_words_are_not() {
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
