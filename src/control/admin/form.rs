//! Fields of a form become values: their names say where they belong (`config.x`, `paths[]`, `sources[1].ip`), the
//! rows of the entity what they are. (Kong: Admin API, "Form-encoded body".)

use crate::{
    document::{Mapping, Number, Value},
    schema::{EntitySchema, Field, FieldKind, PluginSchemas},
};

/// A form, taken apart by the names of its fields.
#[derive(Clone, Debug, PartialEq)]
enum FormNode {
    Text(String),
    List(Vec<(usize, FormNode)>),
    Named(Vec<(String, FormNode)>),
}

/// One step in the name of a field.
#[derive(Clone, Debug, PartialEq)]
enum FormStep {
    Name(String),
    Index(usize),
    Next,
}

/// The record that a form describes. `plugin` is the name of the plugin whose settings `config` has, where the form
/// itself does not say it.
pub(super) fn record(
    pairs: impl Iterator<Item = (String, String)>,
    entity: &EntitySchema,
    plugins: &dyn PluginSchemas,
    plugin: Option<&str>,
) -> Mapping {
    let mut root = FormNode::Named(Vec::new());
    for (name, text) in pairs {
        insert(&mut root, &steps(&name), text);
    }
    let FormNode::Named(parts) = root else { return Mapping::default() };
    let named = parts.iter().find_map(|(name, part)| match part {
        FormNode::Text(text) if name == "name" => Some(text.clone()),
        _ => None,
    });
    let name = named.or_else(|| plugin.map(str::to_owned));
    let config = name.and_then(|it| plugins.settings(&it)).map(|it| it.fields);
    let typed = |(name, part): (String, FormNode)| {
        let value = match (field(entity.fields, &name), config) {
            (Some(Field { kind: FieldKind::Config, .. }), Some(fields)) => {
                value(Some(FieldKind::Record(fields)), part)
            }
            (known, _) => value(known.map(|it| it.kind), part),
        };
        (name, value)
    };
    parts.into_iter().map(typed).collect()
}

fn field(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|it| it.name == name)
}

/// `a.b[c][1][]` in steps.
fn steps(name: &str) -> Vec<FormStep> {
    let mut steps = Vec::new();
    let mut word = String::new();
    let mut rest = name.chars();
    let end = |word: &mut String, steps: &mut Vec<FormStep>| {
        if !word.is_empty() {
            steps.push(FormStep::Name(std::mem::take(word)));
        }
    };
    while let Some(c) = rest.next() {
        match c {
            '.' => end(&mut word, &mut steps),
            '[' if rest.as_str().contains(']') => {
                end(&mut word, &mut steps);
                let inner: String = rest.by_ref().take_while(|it| *it != ']').collect();
                steps.push(match inner.parse() {
                    _ if inner.is_empty() => FormStep::Next,
                    Ok(n) => FormStep::Index(n),
                    Err(_) => FormStep::Name(inner),
                });
            }
            c => word.push(c),
        }
    }
    end(&mut word, &mut steps);
    steps
}

/// More steps than this are those of nobody's fields.
const DEEPEST: usize = 16;

fn insert(part: &mut FormNode, steps: &[FormStep], text: String) {
    let Some((step, rest)) = steps.split_first().filter(|_| steps.len() <= DEEPEST) else {
        // A name that is given twice makes a list.
        match part {
            FormNode::Text(first) => {
                let first = std::mem::take(first);
                *part = FormNode::List(vec![(1, FormNode::Text(first)), (2, FormNode::Text(text))]);
            }
            FormNode::List(items) => items.push((items.len() + 1, FormNode::Text(text))),
            FormNode::Named(parts) if parts.is_empty() => *part = FormNode::Text(text),
            FormNode::Named(_) => (),
        }
        return;
    };
    let empty = || FormNode::Named(Vec::new());
    let child = match (step, &mut *part) {
        (FormStep::Name(name), FormNode::Named(parts)) => {
            let place = parts.iter().position(|(it, _)| it == name);
            let place = place.unwrap_or_else(|| {
                parts.push((name.clone(), empty()));
                parts.len() - 1
            });
            &mut parts[place].1
        }
        (FormStep::Name(_), _) => return,
        (FormStep::Index(_) | FormStep::Next, other) => {
            if matches!(other, FormNode::Named(parts) if parts.is_empty()) {
                *other = FormNode::List(Vec::new());
            }
            if let FormNode::Text(first) = other {
                *other = FormNode::List(vec![(1, FormNode::Text(std::mem::take(first)))]);
            }
            let FormNode::List(items) = other else { return };
            let n = if let FormStep::Index(n) = step { *n } else { items.len() + 1 };
            let place = items.iter().position(|(it, _)| *it == n);
            let place = place.unwrap_or_else(|| {
                items.push((n, empty()));
                items.len() - 1
            });
            &mut items[place].1
        }
    };
    insert(child, rest, text);
}

/// A part as the kind of its field has it; what does not fit stays as it is, and is complained about later.
fn value(kind: Option<FieldKind>, part: FormNode) -> Value {
    match (kind, part) {
        (Some(FieldKind::Array(item) | FieldKind::Set(item)), FormNode::Text(text)) => {
            if text.is_empty() {
                Value::Null
            } else {
                vec![value(Some(item.kind), FormNode::Text(text))].into()
            }
        }
        (Some(FieldKind::Array(item) | FieldKind::Set(item)), FormNode::List(items)) => {
            list(Some(item.kind), items)
        }
        // The server names of a certificate, of which there may be one.
        (Some(FieldKind::Entities(..)), FormNode::Text(text)) if !text.is_empty() => {
            vec![Value::from(text)].into()
        }
        (Some(FieldKind::Entities(..)), FormNode::List(items)) => list(None, items),
        (Some(FieldKind::Map(item)), FormNode::Named(parts)) => parts
            .into_iter()
            .map(|(name, part)| (name, value(Some(item.kind), part)))
            .collect::<Mapping>()
            .into(),
        (Some(FieldKind::Record(fields)), FormNode::Named(parts)) => {
            let typed = |(name, part): (String, FormNode)| {
                let kind = field(fields, &name).map(|it| it.kind);
                (name, value(kind, part))
            };
            parts.into_iter().map(typed).collect::<Mapping>().into()
        }
        (kind, FormNode::Text(text)) => scalar(kind, text),
        (kind, FormNode::List(items)) => list(kind, items),
        (_, FormNode::Named(parts)) => {
            parts.into_iter().map(|(name, part)| (name, value(None, part))).collect::<Mapping>().into()
        }
    }
}

fn list(kind: Option<FieldKind>, mut items: Vec<(usize, FormNode)>) -> Value {
    items.sort_by_key(|(n, _)| *n);
    items.into_iter().map(|(_, part)| value(kind, part)).collect::<Vec<_>>().into()
}

fn scalar(kind: Option<FieldKind>, text: String) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    match kind {
        Some(FieldKind::Integer | FieldKind::Number) => {
            number(&text).map_or_else(|| text.into(), Value::Number)
        }
        Some(FieldKind::Boolean) => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            _ => text.into(),
        },
        _ => text.into(),
    }
}

fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    Number::new(text).or_else(|| {
        let number: f64 = text.parse().ok()?;
        let digits = text.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'.' | b'+' | b'-'));
        digits.then(|| Number::from_f64(number)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::admin::collections::entity,
        plugin::{BundledPlugins, EnabledPlugins},
    };

    #[track_caller]
    fn check(collection: &str, form: &str, expected: &str) {
        let pairs = form_urlencoded::parse(form.as_bytes()).into_owned();
        let record = record(
            pairs,
            entity(collection).unwrap(),
            &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
            None,
        );
        assert_eq!(Value::from(record).to_json(), expected, "{form}");
    }

    #[test]
    fn names_say_where_and_rows_say_what() {
        check("services", "name=a&url=http://b&retries=7", r#"{"name":"a","url":"http://b","retries":7}"#);
        check("services", "name=&enabled=false&port=xx", r#"{"name":null,"enabled":false,"port":"xx"}"#);
        check("services", "tags=&tags[]=", r#"{"tags":[null,null]}"#);
        check("services", "tags=", r#"{"tags":null}"#);
        check("routes", "paths=/a", r#"{"paths":["/a"]}"#);
        check("routes", "paths=/a,/b", r#"{"paths":["/a,/b"]}"#);
        check("routes", "paths[]=/a&paths[]=/b", r#"{"paths":["/a","/b"]}"#);
        check("routes", "paths=/a&paths=/b&paths=/c", r#"{"paths":["/a","/b","/c"]}"#);
        check("routes", "paths[2]=/b&paths[1]=/a", r#"{"paths":["/a","/b"]}"#);
        check("routes", "paths%5B%5D=%2Fa", r#"{"paths":["/a"]}"#);
        check("routes", "headers.X-V=a", r#"{"headers":{"X-V":["a"]}}"#);
        check("routes", "headers.x-a[]=1&headers.x-a[]=2", r#"{"headers":{"x-a":["1","2"]}}"#);
        check("routes", "headers[x-a]=1", r#"{"headers":{"x-a":["1"]}}"#);
        check(
            "routes",
            "sources[1].ip=1.2.3.4&sources[1].port=80&sources[2].ip=10.0.0.0/8",
            r#"{"sources":[{"ip":"1.2.3.4","port":80},{"ip":"10.0.0.0/8"}]}"#,
        );
        check(
            "routes",
            "service.name=s1&regex_priority=5",
            r#"{"service":{"name":"s1"},"regex_priority":5}"#,
        );
        check("certificates", "snis=a.example", r#"{"snis":["a.example"]}"#);
        check("certificates", "snis[]=a&snis[]=b", r#"{"snis":["a","b"]}"#);
        check("routes", "service.id=1", r#"{"service":{"id":"1"}}"#);
        check(
            "plugins",
            "name=mocking&config.random_delay=true&config.min_delay_time=0.001&config.max_delay_time=1",
            r#"{"name":"mocking","config":{"random_delay":true,"min_delay_time":0.001,"max_delay_time":1}}"#,
        );
        check("plugins", "name=cors&config.origins=*", r#"{"name":"cors","config":{"origins":["*"]}}"#);
        check("plugins", "config.x=1&name=nope", r#"{"config":{"x":"1"},"name":"nope"}"#);
    }

    #[test]
    fn odd_names_do_no_harm() {
        for form in ["a[=1", "]=1", ".=1", "=1", "a.b=1&a=2", "a=1&a.b=2", "a[]=1&a.b=2", "a[1][2][3]=x"] {
            let pairs = form_urlencoded::parse(form.as_bytes()).into_owned();
            drop(record(
                pairs,
                entity("services").unwrap(),
                &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
                None,
            ));
        }
    }
}
