//! The OpenAPI document of a mock: a text in the settings, or a file in the folder of specs.

use std::{path::Path as FilePath, sync::Arc};

use super::{
    super::{PluginSetup, file_hash, setup::MAX_FILE_BYTES},
    settings::MockingConfig,
};
use crate::{
    diag::{self, Diagnostic, SourceFile},
    document::{self, Dialect, Document, NodePath},
    file_read::{OUTSIDE_SPECS, text_hash},
    openapi::{self, Api, LibraryLocation},
};

/// Where diagnostics of a document are reported.
#[derive(Clone, Debug)]
pub(super) enum DiagnosticAnchor {
    /// In the text at this path of the configuration.
    Inside(NodePath),
    /// In a file of its own.
    File(Arc<SourceFile>),
}

impl DiagnosticAnchor {
    /// Moves a diagnostic to the document. One of a referenced file has its file already.
    pub(super) fn attach(&self, mut diagnostic: Diagnostic) -> Diagnostic {
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
pub(super) fn read_api(
    config: &MockingConfig,
    setup: &PluginSetup<'_>,
) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    match (&config.api_specification, &config.api_specification_filename) {
        (Some(text), _) => read_inline(text, setup),
        (None, Some(name)) => read_file(name, setup),
        (None, None) => Err(vec![Diagnostic::error(setup.at.clone(), "required field missing")]),
    }
}

/// Reads a document in the configuration itself; its diagnostics point to the lines there.
fn read_inline(text: &str, setup: &PluginSetup<'_>) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    let at = setup.at.key("api_specification").inside();
    let document = document::read(text, Dialect::Specification)
        .map_err(|error| vec![Diagnostic::syntax(at.clone(), &error)])?;
    let location = LibraryLocation::text(setup.specs, setup.specs).with_reader(setup.reader);
    lower(document, &location, setup, DiagnosticAnchor::Inside(at))
}

/// Reads a file in the folder of specs; a path out of the folder is refused.
fn read_file(name: &str, setup: &PluginSetup<'_>) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    let at = setup.at.key("api_specification_filename");
    let refuse = |message: String, help: String| vec![Diagnostic::error(at.clone(), message).help(help)];
    let path = setup.specs.join(name);
    // Noted even if it cannot be read, so that the plugin is compiled again when the file appears.
    setup.files.borrow_mut().push((path.clone(), 0));
    let bytes = read_inside_folder(&path, setup).map_err(|error| {
        let folder = setup.specs.display();
        refuse(format!("cannot read '{name}': {error}"), format!("write the name of a file in {folder}"))
    })?;
    if let Some(noted) = setup.files.borrow_mut().last_mut() {
        noted.1 = text_hash(&bytes);
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| refuse(format!("'{name}' is not UTF-8"), "save the file as UTF-8".to_owned()))?;
    let source = SourceFile::new(path.display().to_string(), text);
    let anchor = DiagnosticAnchor::File(source.clone());
    let document = document::read(&source.text, Dialect::Specification)
        .map_err(|error| vec![anchor.attach(Diagnostic::syntax(NodePath::root(), &error))])?;
    let location = LibraryLocation::file(&path, setup.specs).with_reader(setup.reader);
    lower(document, &location, setup, anchor)
}

fn lower(
    document: Document,
    location: &LibraryLocation,
    setup: &PluginSetup<'_>,
    anchor: DiagnosticAnchor,
) -> Result<(Api, DiagnosticAnchor), Vec<Diagnostic>> {
    let mut warnings = setup.warnings.borrow_mut();
    for path in document.duplicates {
        warnings.push(anchor.attach(Diagnostic::warning(path, diag::DUPLICATE_KEY).key()));
    }
    let (api, diagnostics) =
        openapi::lower(document.value, location).map_err(|error| vec![anchor.attach(error)])?;
    warnings.extend(diagnostics.into_iter().map(|diagnostic| anchor.attach(diagnostic)));
    // The hash of the content that was read; the file may have changed since.
    let read_hash = |path| setup.reader.hash_read(path).or_else(|| file_hash(path, setup.reader));
    let hash = |path| read_hash(path).unwrap_or_default();
    let files = api.library.files().map(|path| (path.to_owned(), hash(path)));
    setup.files.borrow_mut().extend(files);
    Ok((api, anchor))
}

/// Reads a file if it is in the folder of specs, symbolic links resolved.
fn read_inside_folder(path: &FilePath, setup: &PluginSetup<'_>) -> std::io::Result<Vec<u8>> {
    let (path, folder) = (path.canonicalize()?, setup.specs.canonicalize()?);
    if !path.starts_with(&folder) {
        return Err(std::io::Error::other(OUTSIDE_SPECS));
    }
    if !path.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
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

    /// A temporary folder with the folder `specs` in it.
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

    /// Checks the result of a file name in the settings.
    #[track_caller]
    fn check(folder: &Folder, name: &str, expected: Result<(), &str>) {
        let checked = test_support::config(&DEF, &format!("{{api_specification_filename: '{name}'}}"));
        let setup = PluginSetup { specs: &folder.0.join("specs"), ..checked.setup() };
        let found = MockingConfig::read(&setup).and_then(|config| read_api(&config, &setup)).map(|_| ());
        let found = found.map_err(|diagnostics| test_support::draw(&diagnostics).join("\n"));
        let expected = expected
            .map_err(|message| format!("config.api_specification_filename: cannot read '{name}': {message}"));
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn file_names_cannot_leave_the_folder_of_specs() {
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
        check(&folder, "deep", Err("it is not a regular file"));
        check(&folder, "nowhere.yaml", Err("No such file or directory (os error 2)"));
    }

    #[test]
    fn a_missing_file_is_noted() {
        let folder = Folder::new();
        let checked = test_support::config(&DEF, "{api_specification_filename: later.yaml}");
        let specs = folder.0.join("specs");
        let setup = PluginSetup { specs: &specs, ..checked.setup() };
        let config = MockingConfig::read(&setup).unwrap();
        assert!(read_api(&config, &setup).is_err());
        assert_eq!(*setup.files.borrow(), [(specs.join("later.yaml"), 0)]);
    }

    /// Checks line, column and message of the diagnostics of a document inside a configuration.
    #[track_caller]
    fn check_place(kong: &str, expected: &[(usize, usize, &str)]) {
        let value = document::read(kong, Dialect::Kong).unwrap().value;
        let text = value.get("config").unwrap().to_json();
        let checked = test_support::config(&DEF, &text);
        let setup = checked.setup();
        let result = MockingConfig::read(&setup).and_then(|config| read_api(&config, &setup));
        let diagnostics = result.err().unwrap_or_else(|| setup.warnings.take());
        let report = DiagnosticReport::new(SourceFile::new("kong.yaml", kong), diagnostics);
        let places = report.diagnostics().iter().map(|diagnostic| {
            let position = report.position(diagnostic);
            (position.line, position.column, diagnostic.message.as_str())
        });
        assert_eq!(places.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn diagnostics_of_an_inline_document_point_to_its_lines() {
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
