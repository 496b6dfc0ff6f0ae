//! docs/plugins.md says of every plugin what there is to set.
#![expect(clippy::unwrap_used, reason = "here whatever cannot go on has failed")]

use mynah::{
    plugin,
    schema::{Field, Kind},
};

/// The beginning of a field's row in the table of its plugin, and those of the fields in it.
fn rows(prefix: &str, field: &Field, all: &mut Vec<String>) {
    let name = format!("{prefix}{}", field.name);
    if let Kind::Record(fields) = field.kind {
        fields.iter().for_each(|it| rows(&format!("{name}."), it, all));
        return;
    }
    let default = match field.default {
        Some(json) => format!("`{json}`"),
        None if field.required => "required".to_owned(),
        None => String::new(),
    };
    all.push(format!("| `{name}` | {} | {default} |", kind(&field.kind)).replace("|  |", "| |"));
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Array(item) | Kind::Set(item) | Kind::Map(item) => {
            format!("{} of {}", kind.name(), self::kind(&item.kind))
        }
        other => other.name().to_owned(),
    }
}

#[test]
fn every_field_has_its_row() {
    let text = std::fs::read_to_string("docs/plugins.md").unwrap();
    let mut missing = Vec::new();
    for def in plugin::ALL {
        let section = text.split(&format!("\n## {}\n", def.name)).nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut all = Vec::new();
        def.settings.fields.iter().for_each(|field| rows("", field, &mut all));
        let absent = all.into_iter().filter(|row| !section.lines().any(|line| line.starts_with(row)));
        missing.extend(absent.map(|row| format!("{}: {row}", def.name)));
        if !section.contains(&format!("Priority {}.", def.priority)) {
            missing.push(format!("{}: Priority {}.", def.name, def.priority));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
