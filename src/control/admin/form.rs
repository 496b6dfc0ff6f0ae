//! Forms as records: the names of fields give their places (`config.x`, `paths[]`, `sources[1].ip`), the schema of
//! the entity gives their types. (Kong: Admin API, "Form-encoded body".)

use crate::{
    document::{Mapping, Number, Value},
    schema::{EntitySchema, Field, FieldKind, PluginSchemas},
};

/// A form as a tree, built from the names of its fields.
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

/// Converts a form into a record. `plugin` is the name of the plugin whose settings `config` holds, if the form does
/// not give it.
pub(super) fn build_record(
    pairs: impl Iterator<Item = (String, String)>,
    entity: &EntitySchema,
    plugins: &dyn PluginSchemas,
    plugin: Option<&str>,
) -> Mapping {
    let mut root = FormNode::Named(Vec::new());
    for (name, text) in pairs {
        insert(&mut root, &split_name(&name), text);
    }
    let FormNode::Named(parts) = root else { return Mapping::default() };
    let named = parts.iter().find_map(|(name, part)| match part {
        FormNode::Text(text) if name == "name" => Some(text.clone()),
        _ => None,
    });
    let name = named.or_else(|| plugin.map(str::to_owned));
    let config = name.and_then(|plugin| plugins.settings(&plugin)).map(|settings| settings.fields);
    let convert_field = |(name, part): (String, FormNode)| {
        let value = match (find_field(entity.fields, &name), config) {
            (Some(Field { kind: FieldKind::Config, .. }), Some(fields)) => {
                convert(Some(FieldKind::Record(fields)), part)
            }
            (known, _) => convert(known.map(|field| field.kind), part),
        };
        (name, value)
    };
    parts.into_iter().map(convert_field).collect()
}

fn find_field(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.name == name)
}

/// Splits `a.b[c][1][]` into steps.
fn split_name(name: &str) -> Vec<FormStep> {
    let mut steps = Vec::new();
    let mut word = String::new();
    let mut rest = name.chars();
    let end_word = |word: &mut String, steps: &mut Vec<FormStep>| {
        if !word.is_empty() {
            steps.push(FormStep::Name(std::mem::take(word)));
        }
    };
    while let Some(c) = rest.next() {
        match c {
            '.' => end_word(&mut word, &mut steps),
            '[' if rest.as_str().contains(']') => {
                end_word(&mut word, &mut steps);
                let inner: String = rest.by_ref().take_while(|c| *c != ']').collect();
                steps.push(match inner.parse() {
                    _ if inner.is_empty() => FormStep::Next,
                    Ok(n) => FormStep::Index(n),
                    Err(_) => FormStep::Name(inner),
                });
            }
            c => word.push(c),
        }
    }
    end_word(&mut word, &mut steps);
    steps
}

/// Largest number of steps in a name; no field is nested deeper.
const MAX_STEPS: usize = 16;

fn insert(part: &mut FormNode, steps: &[FormStep], text: String) {
    let Some((step, rest)) = steps.split_first().filter(|_| steps.len() <= MAX_STEPS) else {
        // A repeated name makes a list.
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
            let place = parts.iter().position(|(key, _)| key == name);
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
            let place = items.iter().position(|(index, _)| *index == n);
            let place = place.unwrap_or_else(|| {
                items.push((n, empty()));
                items.len() - 1
            });
            &mut items[place].1
        }
    };
    insert(child, rest, text);
}

/// Converts a node to the type of its field. A node that does not fit stays as it is, and the schema check reports
/// it.
fn convert(kind: Option<FieldKind>, part: FormNode) -> Value {
    match (kind, part) {
        (Some(FieldKind::Array(item) | FieldKind::Set(item)), FormNode::Text(text)) => {
            if text.is_empty() {
                Value::Null
            } else {
                vec![convert(Some(item.kind), FormNode::Text(text))].into()
            }
        }
        (Some(FieldKind::Array(item) | FieldKind::Set(item)), FormNode::List(items)) => {
            convert_list(Some(item.kind), items)
        }
        // The server names of a certificate; a single text is a list of one.
        (Some(FieldKind::Entities(..)), FormNode::Text(text)) if !text.is_empty() => {
            vec![Value::from(text)].into()
        }
        (Some(FieldKind::Entities(..)), FormNode::List(items)) => convert_list(None, items),
        (Some(FieldKind::Map(item)), FormNode::Named(parts)) => parts
            .into_iter()
            .map(|(name, part)| (name, convert(Some(item.kind), part)))
            .collect::<Mapping>()
            .into(),
        (Some(FieldKind::Record(fields)), FormNode::Named(parts)) => {
            let convert_field = |(name, part): (String, FormNode)| {
                let kind = find_field(fields, &name).map(|field| field.kind);
                (name, convert(kind, part))
            };
            parts.into_iter().map(convert_field).collect::<Mapping>().into()
        }
        (kind, FormNode::Text(text)) => convert_scalar(kind, text),
        (kind, FormNode::List(items)) => convert_list(kind, items),
        (_, FormNode::Named(parts)) => {
            parts.into_iter().map(|(name, part)| (name, convert(None, part))).collect::<Mapping>().into()
        }
    }
}

fn convert_list(kind: Option<FieldKind>, mut items: Vec<(usize, FormNode)>) -> Value {
    items.sort_by_key(|(n, _)| *n);
    items.into_iter().map(|(_, part)| convert(kind, part)).collect::<Vec<_>>().into()
}

fn convert_scalar(kind: Option<FieldKind>, text: String) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    match kind {
        Some(FieldKind::Integer | FieldKind::Number) => {
            parse_number(&text).map_or_else(|| text.into(), Value::Number)
        }
        Some(FieldKind::Boolean) => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            _ => text.into(),
        },
        _ => text.into(),
    }
}

fn parse_number(text: &str) -> Option<Number> {
    let text = text.trim();
    Number::new(text).or_else(|| {
        let number: f64 = text.parse().ok()?;
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-'));
        is_decimal.then(|| Number::from_f64(number)).flatten()
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
        let record = build_record(
            pairs,
            entity(collection).unwrap(),
            &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
            None,
        );
        assert_eq!(Value::from(record).to_json(), expected, "{form}");
    }

    #[test]
    fn names_give_places_and_the_schema_gives_types() {
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
    fn malformed_names_do_not_panic() {
        for form in ["a[=1", "]=1", ".=1", "=1", "a.b=1&a=2", "a=1&a.b=2", "a[]=1&a.b=2", "a[1][2][3]=x"] {
            let pairs = form_urlencoded::parse(form.as_bytes()).into_owned();
            drop(build_record(
                pairs,
                entity("services").unwrap(),
                &BundledPlugins { expressions: false, enabled: EnabledPlugins::ALL },
                None,
            ));
        }
    }
}
