//! Check that docs/plugins.md documents every setting of every plugin.

use mynah::{
    plugin,
    schema::{Field, FieldKind},
};

/// Adds the expected beginning of a field's row, or of the rows of the fields in it.
fn add_rows(prefix: &str, field: &Field, all: &mut Vec<String>) {
    let name = format!("{prefix}{}", field.name);
    if let FieldKind::Record(fields) = field.kind {
        for field in fields {
            add_rows(&format!("{name}."), field, all);
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
fn every_setting_is_documented() {
    let text = include_str!("../docs/plugins.md");
    let mut missing = Vec::new();
    for def in plugin::ALL {
        let section = text.split(&format!("\n## {}\n", def.name)).nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut all = Vec::new();
        for field in def.settings.fields {
            add_rows("", field, &mut all);
        }
        let absent = all.into_iter().filter(|row| !section.lines().any(|line| line.starts_with(row)));
        missing.extend(absent.map(|row| format!("{}: {row}", def.name)));
        if !section.contains(&format!("Priority {}.", def.priority)) {
            missing.push(format!("{}: Priority {}.", def.name, def.priority));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}
