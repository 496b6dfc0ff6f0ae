//! Tests of lookups of paths, and the property that the trie agrees with a comparison of all templates.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::document;

fn operation(method: &str, template: &str) -> Operation {
    Operation {
        method: method.parse().unwrap(),
        template: template.to_owned(),
        operation_id: None,
        path: document::NodePath::root(),
        responses: Vec::new(),
        parameters: Vec::new(),
        request_body: None,
        security: Arc::new([]),
        deprecated: false,
        extensions: Vec::new(),
        defect: None,
    }
}

fn operations(lines: &[&str]) -> Vec<Operation> {
    let parts = lines.iter().map(|line| line.split_once(' ').unwrap_or(("GET", line)));
    parts.map(|(method, template)| operation(method, template)).collect()
}

/// Checks the template that a path matches, and the values of its parameters: `/a/{x} x=1`.
#[track_caller]
fn check(lines: &[&str], request: &str, expected: &str) {
    let operations = operations(lines);
    let paths = PathTable::new(&operations);
    let (method, path) = request.split_once(' ').unwrap_or(("GET", request));
    let found = match paths.find(&method.parse().unwrap(), path) {
        PathLookup::NotFound => String::from("none"),
        PathLookup::MethodNotAllowed(methods) => {
            methods.iter().map(Method::as_str).collect::<Vec<_>>().join(",")
        }
        PathLookup::Match(found) => {
            let mut text = lines[found.operation].to_owned();
            for (name, range) in paths.values(found.operation, path) {
                text.extend([" ", name, "=", &path[range]]);
            }
            if found.head { format!("{text} for HEAD") } else { text }
        }
    };
    assert_eq!(found, expected, "{request}");
}

const PETS: &[&str] = &[
    "/pets/{id}",
    "/pets/mine",
    "/pets/{id}/toys/{toy}",
    "/pets/{id}/toys/ball",
    "/files/{name}.{ext}",
    "/files/{name}",
    "/report.json",
    "/slash/",
    "/",
];

#[test]
fn concrete_segments_have_priority_over_templated_ones() {
    check(PETS, "/pets/mine", "/pets/mine");
    check(PETS, "/pets/12", "/pets/{id} id=12");
    check(PETS, "/pets/mine/toys/3", "/pets/{id}/toys/{toy} id=mine toy=3");
    check(PETS, "/pets/12/toys/ball", "/pets/{id}/toys/ball id=12");
    check(PETS, "/files/a.txt", "/files/{name}.{ext} name=a ext=txt");
    check(PETS, "/files/a", "/files/{name} name=a");
    check(PETS, "/files/.txt", "/files/{name} name=.txt");
    check(PETS, "/", "/");
    check(PETS, "", "/");
    check(PETS, "/slash/", "/slash/");
    check(PETS, "/slash", "none");
    check(PETS, "/pets/12/", "none");
    check(PETS, "/pets/", "none");
    check(PETS, "/pets//toys/1", "none");
    check(PETS, "/PETS/mine", "none");
    // Backtracking from a concrete segment without a match.
    check(&["/a/b/c", "/{x}/b/d"], "/a/b/d", "/{x}/b/d x=a");
}

#[test]
fn segments_are_compared_without_percent_encoding() {
    check(PETS, "/%70ets/mine", "/pets/mine");
    check(PETS, "/pets/a%2Fb", "/pets/{id} id=a%2Fb");
    check(PETS, "/pets/%6dine", "/pets/mine");
    check(PETS, "/files/%2e%2Etxt", "/files/{name}.{ext} name=%2e ext=txt");
    check(PETS, "/pets/100%", "/pets/{id} id=100%");
    check(PETS, "/pets/%zz", "/pets/{id} id=%zz");
    for template in ["/слово/{x}", "/%D1%81лово/{x}"] {
        check(&[template], "/слово/é", &format!("{template} x=é"));
        check(&[template], "/%d1%81%D0%BB%D0%BE%D0%B2%D0%BE/%ff", &format!("{template} x=%ff"));
    }
}

#[test]
fn a_segment_can_have_several_parameters() {
    check(&["/c/{base}...{head}"], "/c/main...a.b", "/c/{base}...{head} base=main head=a.b");
    check(&["/c/{base}...{head}"], "/c/main..x", "none");
    check(&["/c/{base}...{head}"], "/c/...x", "none");
    check(&["/{id}.json"], "/a.json.json", "/{id}.json id=a.json");
    check(&["/{id}.json"], "/.json", "none");
    check(&["/{n}:cancel", "/{n}:{verb}", "/{n}"], "/a:cancel", "/{n}:cancel n=a");
    check(&["/{n}:{verb}", "/{n}:cancel", "/{n}"], "/a:cancel", "/{n}:cancel n=a");
    check(&["/{n}:cancel", "/{n}:{verb}", "/{n}"], "/a:go", "/{n}:{verb} n=a verb=go");
    check(&["/{n}:cancel", "/{n}:{verb}", "/{n}"], "/a", "/{n} n=a");
    check(&["/Range({from},{to})"], "/Range(1,2)", "/Range({from},{to}) from=1 to=2");
    check(&["/{a}{b}"], "/é%C3%A9z", "/{a}{b} a=é b=%C3%A9z");
    check(&["/{a}{b}"], "/x", "none");
}

#[test]
fn special_characters_of_patterns_are_text() {
    check(&["/a(b)[c]+$/{x}"], "/a(b)[c]+$/1", "/a(b)[c]+$/{x} x=1");
    check(&["/b/({x})[1]"], "/b/(7)[1]", "/b/({x})[1] x=7");
    check(&["/(a+)+$"], "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "none");
    check(&["/a*b"], "/aXb", "none");
    check(&["/{"], "/{", "/{");
    check(&["/}"], "/}", "/}");
    check(&["/{a/b"], "/{a/b", "/{a/b");
    check(&["/{a*}"], "/x", "/{a*} a*=x");
    check(&["/x}{y}"], "/x}1", "/x}{y} y=1");
    check(&["/\0"], "/%00", "/\0");
}

#[test]
fn text_after_a_hash_or_a_question_mark_is_not_part_of_the_path() {
    let amazon = &["POST /#X-Amz-Target=A.B", "POST /#X-Amz-Target=A.C", "GET /q?x={y}", "GET /q?z"];
    check(amazon, "POST /", "POST /#X-Amz-Target=A.B");
    check(amazon, "/q", "GET /q?x={y}");
    assert_eq!(PathTable::new(&operations(amazon)).unreachable(), [1, 3]);
    let plain = &[
        "POST /m#op=b",
        "POST /m",
        "GET /q?op=b",
        "GET /q?op=a",
        "GET /q",
        "PUT /m#x",
        "GET /{a}#b",
        "GET /{c}",
    ];
    check(plain, "POST /m", "POST /m");
    check(plain, "/q", "GET /q");
    check(plain, "PUT /m", "PUT /m#x");
    check(plain, "/x", "GET /{c} c=x");
    assert_eq!(PathTable::new(&operations(plain)).unreachable(), [0, 2, 3, 6]);
}

#[test]
fn methods_of_templates_with_the_same_shape_are_merged() {
    let pets = &["GET /p/{id}", "POST /p/{name}", "DELETE /p/mine", "HEAD /h", "GET /h", "QUERY /p/{id}"];
    check(pets, "POST /p/1", "POST /p/{name} name=1");
    check(pets, "QUERY /p/1", "QUERY /p/{id} id=1");
    check(pets, "GET /p/mine", "GET /p/{id} id=mine");
    check(pets, "HEAD /p/1", "GET /p/{id} id=1 for HEAD");
    check(pets, "HEAD /h", "HEAD /h");
    check(pets, "PUT /p/1", "GET,POST,QUERY,HEAD");
    check(pets, "PUT /p/mine", "DELETE,GET,POST,QUERY,HEAD");
    check(pets, "PUT /x", "none");
}

#[test]
fn lookups_of_hostile_paths_are_bounded() {
    let slashes = "/".repeat(100_000);
    let braces = format!("/{}", "{/".repeat(100_000));
    check(&["/{a}/{b}", &slashes, &braces], &slashes, "none");
    check(&["/{a}x{b}x{c}x{d}x{e}x{f}y"], &format!("/{}", "x".repeat(10_000)), "none");
    // Every segment matches two nodes, and none of the paths ends in a match.
    let mut lines = Vec::new();
    for n in 0..10 {
        for bits in 0..1_u32 << n {
            let prefix: String = (0..n).map(|bit| if bits >> bit & 1 == 0 { "/a" } else { "/{x}" }).collect();
            lines.push(format!("/{prefix}/end"));
        }
    }
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    check(&lines, &"/a".repeat(200), "none");
}

/// The lookup by comparison of every template: per segment, text goes before mixed, mixed before a parameter.
fn find_naively(operations: &[Operation], method: &Method, path: &str) -> Option<usize> {
    let rank = |template: &str| -> Option<Vec<(u8, usize, usize)>> {
        let one: Vec<&str> = template[1..].split('/').collect();
        let other: Vec<&str> = path[1..].split('/').collect();
        if one.len() != other.len() {
            return None;
        }
        one.iter().zip(&other).map(|(template, segment)| match_segment(template, segment)).collect()
    };
    let fitting = operations.iter().enumerate().filter(|(_, operation)| operation.method == *method);
    let ranked = fitting.filter_map(|(n, operation)| Some((rank(&operation.template)?, n)));
    ranked.min_by(|(one, n), (other, m)| one.cmp(other).then(n.cmp(m))).map(|(_, n)| n)
}

fn match_segment(template: &str, segment: &str) -> Option<(u8, usize, usize)> {
    let names = template.matches('{').count();
    let text = template.replace("{p}", "");
    if names == 0 {
        return (template == segment).then_some((0, 0, 0));
    }
    if text.is_empty() && names == 1 {
        return (!segment.is_empty()).then_some((2, 0, 0));
    }
    let expression = format!("^{}$", regex::escape(template).replace(r"\{p\}", "(.+)"));
    let is_match = regex::Regex::new(&expression).unwrap().is_match(segment);
    is_match.then_some((1, usize::MAX - text.len(), names))
}

proptest! {
    /// No two of the mixed segments are equally specific, because the document's first has priority among those.
    #[test]
    fn the_trie_agrees_with_the_comparison_of_all_templates(
        templates in proptest::collection::vec(("GET|POST", "(/(a|b|\\{p\\}|a\\{p\\}|\\{p\\}bb|\\{p\\}a\\{p\\}|)){1,3}"), 1..12),
        path in "(/[ab]{0,4}){1,3}",
    ) {
        let operations: Vec<_> = templates.iter().map(|(method, template)| operation(method, template)).collect();
        let paths = PathTable::new(&operations);
        for method in [Method::GET, Method::POST] {
            let found = match paths.find(&method, &path) {
                PathLookup::Match(found) => Some(found.operation),
                _ => None,
            };
            let expected = find_naively(&operations, &method, &path);
            let shape = |n: Option<usize>| n.map(|n| &operations[n].template);
            prop_assert_eq!(shape(found), shape(expected), "{} {}", method, path);
        }
    }

    #[test]
    fn a_template_filled_with_the_values_is_the_path(template in "(/[ab]?(\\{[xy]\\})?[ab]?(\\{z\\})?){1,3}", path in "(/[ab%25é]{0,4}){1,3}") {
        let operations = [operation("GET", &template)];
        let paths = PathTable::new(&operations);
        if let PathLookup::Match(_) = paths.find(&Method::GET, &path) {
            let mut filled = template;
            for (name, range) in paths.values(0, &path) {
                filled = filled.replacen(&format!("{{{name}}}"), &path[range], 1);
            }
            let plain = |path: &str| path.split('/').map(|segment| decode(segment).into_owned()).collect::<Vec<_>>();
            prop_assert_eq!(plain(&filled), plain(&path));
        }
    }

    #[test]
    fn lookups_never_panic(template in "/[/{}a#?%.é]{0,12}", path in "[/a%2é.]{0,12}") {
        let paths = PathTable::new(&[operation("GET", &template)]);
        let _ = paths.find(&Method::GET, &path);
        let _ = paths.values(0, &path);
    }
}
