//! Writer of XML by the xml object: names, attributes, wrapped lists, namespaces (OpenAPI 3.1, section 4.8.26).

use super::output::Output;
use crate::{
    budget::Exhausted,
    document::{Mapping, Value},
    openapi::{DocumentLibrary, DocumentNode, sample::last_segment},
};

/// Bound on the depth of elements.
const MAX_DEPTH: u32 = 64;
/// Bound on the depth of `allOf`, `oneOf` and `anyOf` in the search for a property.
const MAX_SUBSCHEMA_DEPTH: u32 = 8;
/// Bound on the schemas that are searched for one property.
const MAX_VISITS: u32 = 200;

/// Writes a value as a document; `root` is the name of the root element if the schema does not name it.
pub(super) fn write_document(
    library: &DocumentLibrary,
    value: &Value,
    schema: Option<&DocumentNode>,
    root: Option<&str>,
    out: &mut Output<'_>,
) -> Result<(), Exhausted> {
    out.write_text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
    let mut writer = XmlWriter { library, out };
    let component = schema.and_then(|node| node.value.get("$ref")).and_then(Value::as_str).map(last_segment);
    let schema = schema.and_then(|node| library.resolve_schema(node).ok());
    let name = XmlName::of(schema.as_ref(), root.or(component).unwrap_or("root"));
    match value.as_sequence() {
        // A document has one root element, so a list is always wrapped here.
        Some(items) => {
            let item = schema.as_ref().and_then(|schema| schema.get("items"));
            let component = item.as_ref().and_then(|schema| schema.value.get("$ref")).and_then(Value::as_str);
            let component =
                component.map_or_else(|| "item".to_owned(), |reference| last_segment(reference).to_owned());
            writer.open_tag(&name)?;
            writer.out.write_text(">")?;
            writer.write_items(items, item.as_ref(), &component, 1)?;
            writer.close_tag(&name)
        }
        None => writer.write_element(&name, value, schema.as_ref(), 0),
    }
}

/// Name of an element or attribute.
struct XmlName {
    qualified: String,
    /// The attribute that declares its namespace; empty without one.
    declaration: String,
}

impl XmlName {
    fn of(schema: Option<&DocumentNode>, default: &str) -> Self {
        let option = |key: &str| {
            let node = schema.and_then(|schema| schema.value.get("xml")).and_then(|xml| xml.get(key));
            node.and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        let local = sanitize_name(option("name").unwrap_or(default));
        let prefix = option("prefix").map(sanitize_name);
        let declaration = option("namespace").map_or_else(String::new, |namespace| {
            let colon = if prefix.is_some() { ":" } else { "" };
            format!(" xmlns{colon}{}=\"{}\"", prefix.as_deref().unwrap_or_default(), escape(namespace))
        });
        let qualified = prefix.map_or_else(|| local.clone(), |prefix| format!("{prefix}:{local}"));
        Self { qualified, declaration }
    }
}

struct XmlWriter<'a, 'b> {
    library: &'a DocumentLibrary,
    out: &'a mut Output<'b>,
}

impl XmlWriter<'_, '_> {
    fn open_tag(&mut self, name: &XmlName) -> Result<(), Exhausted> {
        self.out.write_texts(&["<", &name.qualified, &name.declaration])
    }

    fn close_tag(&mut self, name: &XmlName) -> Result<(), Exhausted> {
        self.out.write_texts(&["</", &name.qualified, ">"])
    }

    fn write_element(
        &mut self,
        name: &XmlName,
        value: &Value,
        schema: Option<&DocumentNode>,
        depth: u32,
    ) -> Result<(), Exhausted> {
        self.open_tag(name)?;
        if value.is_null() || depth > MAX_DEPTH {
            return self.out.write_text("/>");
        }
        let mut children = Vec::new();
        for (key, value) in value.entries() {
            let property = match schema {
                Some(schema) => self.find_property(schema, key, 0, &mut { MAX_VISITS })?,
                None => None,
            };
            let attribute =
                property.as_ref().and_then(|property| property.value.get("xml")?.get("attribute")?.as_bool());
            if attribute == Some(true) {
                let name = XmlName::of(property.as_ref(), key);
                let text = self.out.plain_text(value)?;
                self.out.write_texts(&[
                    &name.declaration,
                    " ",
                    &name.qualified,
                    "=\"",
                    &escape(&text),
                    "\"",
                ])?;
            } else {
                children.push((key, value, property));
            }
        }
        self.out.write_text(">")?;
        for (key, value, property) in children {
            self.write_member(key, value, property.as_ref(), depth + 1)?;
        }
        match value {
            Value::Mapping(_) => (),
            Value::Sequence(items) => self.write_items(items, None, "item", depth + 1)?,
            scalar => {
                let text = self.out.plain_text(scalar)?;
                self.out.write_text(&escape(&text))?;
            }
        }
        self.close_tag(name)
    }

    fn write_member(
        &mut self,
        key: &str,
        value: &Value,
        schema: Option<&DocumentNode>,
        depth: u32,
    ) -> Result<(), Exhausted> {
        let name = XmlName::of(schema, key);
        let Some(items) = value.as_sequence() else {
            return self.write_element(&name, value, schema, depth);
        };
        let item = schema.and_then(|schema| schema.get("items"));
        let wrapped =
            schema.and_then(|schema| schema.value.get("xml")?.get("wrapped")?.as_bool()) == Some(true);
        if !wrapped {
            return self.write_items(items, item.as_ref(), key, depth);
        }
        self.open_tag(&name)?;
        self.out.write_text(">")?;
        let local = name.qualified.rsplit(':').next().unwrap_or(key).to_owned();
        self.write_items(items, item.as_ref(), &local, depth + 1)?;
        self.close_tag(&name)
    }

    fn write_items(
        &mut self,
        items: &[Value],
        schema: Option<&DocumentNode>,
        default: &str,
        depth: u32,
    ) -> Result<(), Exhausted> {
        let schema = schema.and_then(|node| self.library.resolve_schema(node).ok());
        let name = XmlName::of(schema.as_ref(), default);
        items.iter().try_for_each(|item| self.write_element(&name, item, schema.as_ref(), depth))
    }

    /// The schema of a property, in `properties` of the schema or of its subschemas.
    fn find_property(
        &self,
        schema: &DocumentNode,
        key: &str,
        depth: u32,
        visits: &mut u32,
    ) -> Result<Option<DocumentNode>, Exhausted> {
        let Some(remaining) = visits.checked_sub(1) else { return Ok(None) };
        *visits = remaining;
        let size = schema.value.as_mapping().map_or(0, Mapping::len);
        self.out.spend(1 + size as u64 / 16)?;
        if depth > MAX_SUBSCHEMA_DEPTH {
            return Ok(None);
        }
        let Ok(schema) = self.library.resolve_schema(schema) else { return Ok(None) };
        if let Some(property) = schema.get("properties").and_then(|properties| properties.get(key)) {
            return Ok(self.library.resolve_schema(&property).ok());
        }
        for parts in ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|keyword| schema.get(keyword)) {
            for part in parts.items() {
                if let Some(found) = self.find_property(&part, key, depth + 1, visits)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

/// A text as a valid XML name, with `_` in place of invalid characters.
fn sanitize_name(name: &str) -> String {
    let mut out: String = name
        .chars()
        .map(|symbol| if symbol.is_alphanumeric() || "_-.".contains(symbol) { symbol } else { '_' })
        .collect();
    if !out.starts_with(|symbol: char| symbol.is_alphabetic() || symbol == '_') {
        out.insert(0, '_');
    }
    out
}

/// The text with markup escaped, without characters that XML 1.0 does not allow.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => (),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Dialect, read};
    use crate::openapi::{LibraryLocation, body::tests::budget};

    #[track_caller]
    fn check(value: &str, schema: Option<&str>, expected: &str) {
        let read = |text: &str| read(text, Dialect::Specification).unwrap().value;
        let root =
            read("{S: {Pet: {type: object, properties: {id: {type: integer, xml: {attribute: true}}}}}}");
        let schema = schema.map(|text| DocumentNode { value: read(text), file: 0 });
        let (library, budget) = (DocumentLibrary::new(root, &LibraryLocation::alone()).0, budget());
        let mut out = Output::new(&budget);
        write_document(&library, &read(value), schema.as_ref(), None, &mut out).unwrap();
        let text = String::from_utf8(out.finish().to_vec()).unwrap();
        assert_eq!(text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), Some(expected));
    }

    #[test]
    fn the_xml_object_decides_names_and_structure() {
        check(
            "{id: 1, name: a&b, tags: [x, y], flat: [1, 2]}",
            Some(
                "{xml: {name: person, prefix: p, namespace: 'http://ex/p'}, properties: {id: {xml: {attribute: true}}, \
                 name: {xml: {name: fullName}}, tags: {type: array, items: {xml: {name: tag}}, xml: {wrapped: true}}, \
                 flat: {type: array, items: {type: integer}}}}",
            ),
            "<p:person xmlns:p=\"http://ex/p\" id=\"1\"><fullName>a&amp;b</fullName><tags><tag>x</tag><tag>y</tag></tags>\
             <flat>1</flat><flat>2</flat></p:person>",
        );
    }

    #[test]
    fn names_without_an_xml_object_come_from_properties_and_components() {
        check("{a: {b: 1}, c: [1, 2]}", None, "<root><a><b>1</b></a><c>1</c><c>2</c></root>");
        check("{id: 5}", Some("{$ref: '#/S/Pet'}"), "<Pet id=\"5\"></Pet>");
        check(
            "[{id: 5}]",
            Some("{type: array, items: {$ref: '#/S/Pet'}}"),
            "<root><Pet id=\"5\"></Pet></root>",
        );
        check("[1]", None, "<root><item>1</item></root>");
        check("{'1 x': null, e: \"\\u0001\"}", None, "<root><_1_x/><e></e></root>");
        check(
            "{t: [a]}",
            Some("{properties: {t: {type: array, xml: {name: ts, wrapped: true}, items: {}}}}"),
            "<root><ts><ts>a</ts></ts></root>",
        );
        check("{id: 5}", Some("{allOf: [{$ref: '#/S/Pet'}]}"), "<root id=\"5\"></root>");
    }
}
