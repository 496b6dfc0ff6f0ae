//! Row of a setting, and the macro that makes a type of settings from rows.

use super::{Settings, error::SettingFault};

/// A setting that mynah honours: the only place of its name, default, description and reader.
#[derive(Debug)]
pub struct SettingRow {
    /// Kong's name, or a name of mynah's own.
    pub name: &'static str,
    /// Other names that Kong accepts.
    pub(super) aliases: &'static [&'static str],
    /// The default as a user would write it; empty if nothing is set.
    pub default: &'static str,
    /// What it sets, in one line, with units.
    pub description: &'static str,
    /// Whether it restricts access. A name that looks like a misspelt one of these is an error, not a warning.
    pub(super) protective: bool,
    /// Reads a value. None for settings that are read together with others (`client_certificates`).
    pub(super) read: Option<SettingReader>,
}

/// Reads the value of a setting, given its name and text, into the settings.
pub(super) type SettingReader = fn(&mut Settings, &'static str, &str) -> Result<(), SettingFault>;

impl SettingRow {
    /// A row whose value is read by itself.
    pub(super) const fn new(
        name: &'static str,
        default: &'static str,
        description: &'static str,
        read: SettingReader,
    ) -> Self {
        Self { read: Some(read), ..Self::read_elsewhere(name, default, description) }
    }

    /// A row whose value is read together with others.
    pub(super) const fn read_elsewhere(
        name: &'static str,
        default: &'static str,
        description: &'static str,
    ) -> Self {
        Self { name, aliases: &[], default, description, protective: false, read: None }
    }

    pub(super) const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn protective(self) -> Self {
        Self { protective: true, ..self }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// The value of a default.
pub(super) fn default_value<T>(
    read: impl FnOnce(&'static str, &str) -> Result<T, SettingFault>,
    name: &'static str,
    default: &'static str,
) -> T {
    read(name, default).expect("defaults are valid: a test reads those of all rows")
}

/// Makes a type of settings, its [`Default`] and the table `ROWS` from rows:
///
/// ```text
/// /// What the field adds to the description.
/// field: Type => "name" | "alias" = "default", reader, "description", protective;
/// "name" = "default", reader into the settings, "description";
/// ```
///
/// `protective` and aliases may be absent. A row without a field sets a field of another row, or one below `besides`,
/// which lists fields without a row of their own. An empty default stands for the type's own. `at [dns]` says that the
/// type is the field `dns` of [`Settings`].
macro_rules! settings_table {
    (
        $(#[$attribute:meta])*
        pub struct $table:ident at $place:tt {
            $(
                $($(#[$doc:meta])* $field:ident: $type:ty =>)?
                $name:literal $(| $alias:literal)* = $default:tt, $read:expr, $description:literal $(, $flag:ident)?;
            )*
        }
        $(besides { $($(#[$other_doc:meta])* $other:ident: $other_type:ty,)* })?
    ) => {
        $(#[$attribute])*
        pub struct $table {
            $($(
                #[doc = concat!("`", $name, "`: ", $description, ".")]
                $(#[$doc])*
                pub $field: $type,
            )?)*
            $($($(#[$other_doc])* pub $other: $other_type,)*)?
        }

        impl Default for $table {
            fn default() -> Self {
                Self {
                    $($($field: $crate::settings::setting_row::default_of!($name $default $read),)?)*
                    $($($other: Default::default(),)*)?
                }
            }
        }

        /// The rows, in the order in which they are read.
        pub(super) const ROWS: &[SettingRow] = &[$(
            SettingRow::new(
                $name,
                $default,
                $description,
                $crate::settings::setting_row::reader_of!([$($field)?] $place $read),
            )
            .aliases(&[$($alias),*])
            $(.$flag())?
        ),*];
    };
}

macro_rules! default_of {
    ($name:literal "" $read:expr) => {
        Default::default()
    };
    ($name:literal $default:tt $read:expr) => {
        $crate::settings::setting_row::default_value($read, $name, $default)
    };
}

macro_rules! reader_of {
    ([] $place:tt $read:expr) => {
        $read
    };
    ([$field:ident] [$($group:ident)?] $read:expr) => {
        |settings, name, text| {
            settings.$($group.)?$field = $read(name, text)?;
            Ok(())
        }
    };
}

pub(super) use {default_of, reader_of, settings_table};
