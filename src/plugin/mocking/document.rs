//! Where the document comes from: a text in the settings, or a file in the folder of specs.

use std::{path::Path as FilePath, sync::Arc};

use super::{
    super::{PluginSetup, file_hash, setup::MAX_FILE_BYTES},
    settings::MockingConfig,
};
use crate::{
    diag::{Diagnostic, SourceFile},
    document::{self, Dialect, Document, NodePath},
    file_read::text_hash,
    openapi::{self, Api, LibraryLocation},
};

/// Where complaints about a document belong.
#[derive(Clone, Debug)]
pub(super) enum DiagnosticAnchor {
    /// Into the text at this place of `kong.yaml`.
    Inside(NodePath),
    /// Into a file of its own.
    File(Arc<SourceFile>),
}

impl DiagnosticAnchor {
    /// The same complaint, where it belongs; one about yet another file is there already.
    pub(super) fn place(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        if diagnostic.file.is_none() {
            match self {
                Self::Inside(at) => diagnostic.path = at.join(diagnostic.path.steps()),
                Self::File(source) => diagnostic.file = Some(source.clone()),
            }
        }
        diagnostic
    }
}

/// Reads the document that the settings name.
pub(super) fn api(
    config: &MockingConfig,
    setup: &PluginSetup<'_>,
) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    match (&config.api_specification, &config.api_specification_filename) {
        (Some(text), _) => inline(text, setup),
        (None, Some(name)) => file(name, setup),
        (None, None) => Err(vec![Diagnostic::error(setup.at.clone(), "required field missing")]),
    }
}

/// A document that stands in `kong.yaml` itself: what is wrong with it is shown on its very line there.
fn inline(text: &str, setup: &PluginSetup<'_>) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    let at = setup.at.key("api_specification").inside();
    let document = document::read(text, Dialect::Specification)
        .map_err(|error| vec![Diagnostic::syntax(at.clone(), &error)])?;
    let location = LibraryLocation::text(setup.specs, setup.specs).with_reader(setup.reader);
    lower(document, &location, setup, DiagnosticAnchor::Inside(at))
}

/// A document of its own, in the folder of specs, which no name may leave.
fn file(name: &str, setup: &PluginSetup<'_>) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    let at = setup.at.key("api_specification_filename");
    let refuse = |message: String, help: String| vec![Diagnostic::error(at.clone(), message).help(help)];
    let path = setup.specs.join(name);
    // Noted even if it cannot be read: once it can be, the plugin can be made.
    setup.files.borrow_mut().push((path.clone(), 0));
    let bytes = read_inside(&path, setup).map_err(|error| {
        let folder = setup.specs.display();
        refuse(format!("cannot read '{name}': {error}"), format!("the name is that of a file in {folder}"))
    })?;
    if let Some(noted) = setup.files.borrow_mut().last_mut() {
        noted.1 = text_hash(&bytes);
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| refuse(format!("'{name}' is not UTF-8"), "save the file as UTF-8".to_owned()))?;
    let source = SourceFile::new(path.display().to_string(), text);
    let placed = DiagnosticAnchor::File(source.clone());
    let document = document::read(&source.text, Dialect::Specification)
        .map_err(|error| vec![placed.place(Diagnostic::syntax(NodePath::root(), &error))])?;
    let location = LibraryLocation::file(&path, setup.specs).with_reader(setup.reader);
    lower(document, &location, setup, placed)
}

fn lower(
    document: Document,
    location: &LibraryLocation,
    setup: &PluginSetup<'_>,
    placed: DiagnosticAnchor,
) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    let mut warnings = setup.warnings.borrow_mut();
    for path in document.duplicates {
        let message = "this key stands twice in one mapping; the last one counts";
        warnings.push(placed.place(Diagnostic::warning(path, message).key()));
    }
    let (api, complaints) =
        openapi::lower(document.value, location).map_err(|error| vec![placed.place(error)])?;
    warnings.extend(complaints.into_iter().map(|it| placed.place(it)));
    // That of what was read, and not of what the file may say by now.
    let read = |path| setup.reader.hash_read(path).or_else(|| file_hash(path, setup.reader));
    let hash = |path| read(path).unwrap_or_default();
    let known = api.library.files().map(|path| (path.to_owned(), hash(path)));
    setup.files.borrow_mut().extend(known);
    Ok((api, placed))
}

/// Reads a file whose real place is inside the folder of specs.
fn read_inside(path: &FilePath, setup: &PluginSetup<'_>) -> std::io::Result<Vec<u8>> {
    let (path, folder) = (path.canonicalize()?, setup.specs.canonicalize()?);
    if !path.starts_with(&folder) {
        return Err(std::io::Error::other("it is outside the folder of specs"));
    }
    if !path.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    setup.reader.read(&path, MAX_FILE_BYTES)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf, sync::atomic::AtomicU32};

    use super::{
        super::{super::test_support, DEF},
        *,
    };
    use crate::diag::DiagnosticReport;

    const DOCUMENT: &str = "{openapi: 3.0.3, info: {title: t, version: v}, paths: {}}";

    /// A folder that goes away with its test; specs are in `specs` inside.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("mynah-mocking-{}-{n}", std::process::id()));
            fs::create_dir_all(path.join("specs/deep")).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Checks what is said about a file that the settings name.
    #[track_caller]
    fn check(folder: &Folder, name: &str, expected: Result<(), &str>) {
        let checked = test_support::config(&DEF, &format!("{{api_specification_filename: '{name}'}}"));
        let setup = PluginSetup { specs: &folder.0.join("specs"), ..checked.setup() };
        let found = MockingConfig::read(&setup).and_then(|config| api(&config, &setup)).map(|_| ());
        let found = found.map_err(|complaints| test_support::draw(&complaints).join("\n"));
        let expected = expected
            .map_err(|message| format!("config.api_specification_filename: cannot read '{name}': {message}"));
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn no_name_leaves_the_folder_of_specs() {
        let folder = Folder::new();
        let outside = folder.0.join("outside.yaml");
        fs::write(&outside, DOCUMENT).unwrap();
        for inside in ["specs/a.yaml", "specs/deep/b.yaml"] {
            fs::write(folder.0.join(inside), DOCUMENT).unwrap();
        }
        std::os::unix::fs::symlink("../outside.yaml", folder.0.join("specs/link.yaml")).unwrap();
        std::os::unix::fs::symlink("a.yaml", folder.0.join("specs/alias.yaml")).unwrap();
        for name in ["a.yaml", "deep/b.yaml", "deep/../a.yaml", "./a.yaml", "alias.yaml"] {
            check(&folder, name, Ok(()));
        }
        for name in
            ["../outside.yaml", "deep/../../outside.yaml", "link.yaml", &outside.display().to_string()]
        {
            check(&folder, name, Err("it is outside the folder of specs"));
        }
        check(&folder, "deep", Err("it is no regular file"));
        check(&folder, "nowhere.yaml", Err("No such file or directory (os error 2)"));
    }

    #[test]
    fn a_file_is_noted_even_if_it_is_not_there() {
        let folder = Folder::new();
        let checked = test_support::config(&DEF, "{api_specification_filename: later.yaml}");
        let specs = folder.0.join("specs");
        let setup = PluginSetup { specs: &specs, ..checked.setup() };
        let config = MockingConfig::read(&setup).unwrap();
        assert!(api(&config, &setup).is_err());
        assert_eq!(*setup.files.borrow(), [(specs.join("later.yaml"), 0)]);
    }

    /// Checks the line and column in `kong.yaml` of what is wrong with a document inside it.
    #[track_caller]
    fn check_place(kong: &str, expected: &[(usize, usize, &str)]) {
        let value = document::read(kong, Dialect::Kong).unwrap().value;
        let text = value.get("config").unwrap().to_json();
        let checked = test_support::config(&DEF, &text);
        let setup = checked.setup();
        let result = MockingConfig::read(&setup).and_then(|config| api(&config, &setup));
        let complaints = result.err().unwrap_or_else(|| setup.warnings.take());
        let report = DiagnosticReport::new(SourceFile::new("kong.yaml", kong), complaints);
        let places = report.diagnostics().iter().map(|it| {
            let place = report.position(it);
            (place.line, place.column, it.message.as_str())
        });
        assert_eq!(places.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_wrong_inside_is_shown_on_its_line() {
        check_place(
            "config:\n  api_specification: |\n    openapi: 3.0.3\n    info: {title: t, version: v}\n    \
             paths:\n      /x:\n        get:\n          responses: {'200': {$ref: '#/nowhere'}}\n",
            &[(8, 37, "`$ref: #/nowhere` leads nowhere: there is no `nowhere`")],
        );
        check_place(
            "config:\n  api_specification: |\n    openapi: 3.0.3\n    paths: [\n",
            &[(4, 12, "unclosed bracket '['")],
        );
    }
}
