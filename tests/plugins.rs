//! docs/plugins.md says of every plugin what there is to set.

use mynah::{
    plugin,
    schema::{Field, FieldKind},
};

/// The beginning of a field's row in the table of its plugin, and those of the fields in it.
fn rows(prefix: &str, field: &Field, all: &mut Vec<String>) {
    let name = format!("{prefix}{}", field.name);
    if let FieldKind::Record(fields) = field.kind {
        for field in fields {
            rows(&format!("{name}."), field, all);
        }
        return;
    }
    let default = match field.default {
        Some(json) => format!("`{json}`"),
        None if field.required => "required".to_owned(),
        None => String::new(),
    };
    all.push(format!("| `{name}` | {} | {default} |", kind(&field.kind)).replace("|  |", "| |"));
}

fn kind(kind: &FieldKind) -> String {
    match kind {
        FieldKind::Array(item) | FieldKind::Set(item) | FieldKind::Map(item) => {
            format!("{} of {}", kind.name(), self::kind(&item.kind))
        }
        other => other.name().to_owned(),
    }
}

#[test]
fn every_field_has_its_row() {
    let text = include_str!("../docs/plugins.md");
    let mut missing = Vec::new();
    for def in plugin::ALL {
        let section = text.split(&format!("\n## {}\n", def.name)).nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut all = Vec::new();
        for field in def.settings.fields {
            rows("", field, &mut all);
        }
        let absent = all.into_iter().filter(|row| !section.lines().any(|line| line.starts_with(row)));
        missing.extend(absent.map(|row| format!("{}: {row}", def.name)));
        if !section.contains(&format!("Priority {}.", def.priority)) {
            missing.push(format!("{}: Priority {}.", def.name, def.priority));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
