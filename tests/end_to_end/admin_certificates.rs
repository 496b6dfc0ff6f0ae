//! Certificates in the Admin API, where server names are plain texts, and in the file, where they are entities.

use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Setup},
    pem::{Authority, Signed, block},
};

/// A configuration of a certificate with two server names, nested in it or at the top of the file.
fn config(signed: &Signed, at_top: bool) -> String {
    let (cert, key) = (block(&signed.certificate, 4), block(&signed.key, 4));
    let certificate =
        format!("_format_version: \"3.0\"\ncertificates:\n- id: {ID}\n  cert: {cert}\n  key: {key}\n");
    if at_top {
        format!(
            "{certificate}snis: # by name\n- name: a.example # first\n  certificate: {ID}\n- name: b.example\n  certificate: {ID}\n"
        )
    } else {
        format!("{certificate}  snis: # by name\n  - name: a.example # first\n  - name: b.example\n")
    }
}

const ID: &str = "11111111-1111-4111-8111-111111111111";

fn names(value: &Value) -> Vec<&str> {
    value["snis"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// The lines of the file after the key, which contain the server names.
fn name_lines(gateway: &Gateway) -> String {
    let text = gateway.folder.read("kong.yaml");
    let end = text.split("-----END PRIVATE KEY-----\n").nth(1).unwrap();
    end.split("- id").next().unwrap().to_owned()
}

#[test]
fn the_names_of_a_certificate_are_replaced_as_a_whole() {
    let signed = Signed::self_signed("a.example");
    for at_top in [false, true] {
        let gateway = Setup::with(&config(&signed, at_top)).run();
        let by_id = format!("/certificates/{ID}");
        let whole = |more: Value| {
            let mut body = json!({"cert": signed.certificate, "key": signed.key});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        for (method, path, body, expected) in [
            ("PATCH", &*by_id, json!({"tags": ["x"]}), &["a.example", "b.example"][..]),
            (
                "PATCH",
                &by_id,
                json!({"snis": ["c.example", "a.example", "c.example"]}),
                &["a.example", "c.example"],
            ),
            ("PUT", "/certificates/c.example", whole(json!({})), &["a.example", "c.example"]),
            (
                "PUT",
                "/certificates/c.example",
                whole(json!({"snis": ["*.d.example"]})),
                &["*.d.example", "c.example"],
            ),
            ("PUT", &by_id, whole(json!({"snis": ["a.example"]})), &["a.example"]),
            ("PATCH", "/certificates/a.example", json!({"snis": ["e.example"]}), &["e.example"]),
            ("PATCH", &by_id, json!({"snis": null}), &[]),
            ("PATCH", &by_id, json!({"snis": ["b.example", "a.example"]}), &["a.example", "b.example"]),
        ] {
            let answer = gateway.admin_json(method, path, body.clone());
            assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
            let answer = answer.json();
            assert_eq!(names(&answer), expected, "{method} {path}, {at_top}");
            assert_eq!(answer["id"], ID);
            assert_eq!(gateway.admin("GET", &by_id).json(), answer);
            let listed = gateway.admin("GET", &format!("{by_id}/snis")).json();
            assert_eq!(listed["data"].as_array().unwrap().len(), expected.len());
        }
        // After the last name at the top is removed, new ones are nested in their certificate.
        let emptied = if at_top { "snis: []\n" } else { "" };
        let expected = format!("  snis:\n  - name: b.example\n  - name: a.example\n{emptied}");
        assert_eq!(name_lines(&gateway).replace(" # by name", ""), expected);
    }
}

#[test]
fn a_removed_name_removes_its_line() {
    let signed = Signed::self_signed("a.example");
    for at_top in [false, true] {
        let before = config(&signed, at_top);
        let gateway = Setup::with(&before).run();
        let form =
            gateway.admin_form("PATCH", "/certificates/b.example", "snis[]=a.example&snis[]=c.example");
        assert_eq!(form.status, 200, "{}", form.text());
        assert_eq!(gateway.folder.read("kong.yaml"), before.replace("b.example", "c.example"));
    }
}

#[test]
fn a_certificate_put_under_a_new_name_gets_that_name() {
    let (own, other) = (Signed::self_signed("a.example"), Signed::self_signed("b.example"));
    let gateway = Setup::with(&config(&own, false)).run();
    let body = json!({"cert": other.certificate, "key": other.key, "snis": ["y.example"]});
    let created = gateway.admin_json("PUT", "/certificates/x.example", body);
    assert_eq!((created.status, names(&created.json())), (200, vec!["x.example", "y.example"]));
    let parts =
        [("cert", &*own.certificate), ("key", &own.key), ("snis[]", "m.example"), ("snis[]", "n.example")];
    let parts = parts.map(|(name, text)| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    });
    let body = format!("{}--xyz--\r\n", parts.concat());
    let url = gateway.admin_url("/certificates");
    let headers = [("content-type", "multipart/form-data; boundary=xyz")];
    let answer = crate::client::Client::fresh().send("POST", &url, &headers, Some(body.as_bytes())).unwrap();
    assert_eq!((answer.status, names(&answer.json())), (201, vec!["m.example", "n.example"]));
}

/// Checks the status and the field messages of a refused write.
#[track_caller]
fn check(gateway: &Gateway, (method, path, body): (&str, &str, Value), status: u16, fields: &Value) {
    let before = gateway.folder.read("kong.yaml");
    let answer = gateway.admin_json(method, path, body);
    assert_eq!(
        (answer.status, &answer.json()["fields"]),
        (status, fields),
        "{method} {path}: {}",
        answer.text()
    );
    assert_eq!(gateway.folder.read("kong.yaml"), before);
}

#[test]
fn invalid_certificates_and_names_are_refused() {
    let (one, other) = (Signed::self_signed("a.example"), Signed::self_signed("b.example"));
    let authority = Authority::new("ca");
    let gateway = Setup::with(&config(&one, false)).run();
    let both = |cert: &str, key: &str, snis: Value| json!({"cert": cert, "key": key, "snis": snis});
    let good = |snis: Value| both(&other.certificate, &other.key, snis);
    let taken = json!({"snis": format!("a.example already associated with existing certificate '{ID}'")});
    let mismatch = json!({"@entity": ["certificate does not match key"]});
    let (post, put) = (("POST", "/certificates"), ("PUT", "/certificates/new.example"));
    let validate = ("POST", "/schemas/certificates/validate");
    for ((method, path), body, fields) in [
        (post, good(json!(["x.example", "a.example"])), taken.clone()),
        (put, good(json!(["a.example"])), taken),
        (post, good(json!(5)), json!({"snis": "expected a set"})),
        (post, good(json!("x.example")), json!({"snis": "expected a set"})),
        (
            post,
            both("x", &other.key, json!(["ok.example", "bad name", 5])),
            json!({"snis": [null, "invalid value: bad name", "expected a string"],
                   "cert": "invalid certificate: x509.new: error:680008E:asn1 encoding routines:asn1_d2i_read_bio:not enough data:crypto/asn1/a_d2i_fp.c:155:"}),
        ),
        (post, both(&one.certificate, &other.key, json!(["x.example"])), mismatch.clone()),
        (put, both(&one.certificate, &other.key, json!(null)), mismatch.clone()),
        (("PATCH", "/certificates/a.example"), json!({"key": other.key}), mismatch.clone()),
        (validate, both(&one.certificate, &other.key, json!(["x.example"])), mismatch),
        (validate, good(json!([""])), json!({"snis": ["length must be at least 1"]})),
        (
            ("POST", "/ca_certificates"),
            json!({"cert": other.certificate}),
            json!({"@entity": ["certificate does not appear to be a CA because it is missing the \"CA\" basic constraint"]}),
        ),
        (
            ("POST", "/ca_certificates"),
            json!({"cert": authority.certificate().repeat(2)}),
            json!({"@entity": ["please submit only one certificate at a time"]}),
        ),
    ] {
        check(&gateway, (method, path, body), 400, &fields);
    }
    assert_eq!(
        gateway.admin_json("POST", "/schemas/certificates/validate", good(json!(["x.example"]))).status,
        200
    );
    for method in ["GET", "PATCH", "DELETE"] {
        gateway
            .admin_json(method, "/certificates/unknown.example", json!({}))
            .assert_message(404, "SNI not found");
    }
    assert_eq!(gateway.admin("DELETE", "/certificates/22222222-2222-4222-8222-222222222222").status, 204);
    assert_eq!(gateway.admin("DELETE", "/certificates/a.example").status, 204);
    assert_eq!(gateway.admin("GET", "/snis").json()["data"], json!([]));
}
