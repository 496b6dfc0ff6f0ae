//! Keywords of schemas: one table of their names, operands and specifications.
//!
//! Readers of schemas match on [`SchemaKeyword`] or on [`KeywordOperand`] without a default arm, so that a keyword that is
//! added here does not compile, or fails a test, until each reader handles it. The validator evaluates keywords and reports
//! their errors in the order of the table.

use super::SpecVersion;
use crate::document::Value;

/// What a keyword takes as its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::openapi) enum KeywordOperand {
    Schema(AppliedTo),
    Schemas(AppliedTo),
    SchemasByName(AppliedTo),
    /// A schema for all items; a list of schemas, one for each item, in editions before 2020-12.
    SchemaOrSchemas,
    /// A schema or a list of names by each name.
    SchemasOrNamesByName,
    /// A URI reference to a schema.
    Reference,
    Number,
    /// A number; in OpenAPI 2.0 and 3.0 a flag that changes the bound of another keyword.
    NumberOrFlag,
    /// A whole number that is not negative.
    Count,
    Text,
    Flag,
    Names,
    NamesByName,
    /// The name of a type, or a list of them.
    Types,
    /// Any value.
    Value,
    /// A list of any values.
    Values,
    /// An object that is not a schema.
    Object,
}

/// The values that a subschema is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::openapi) enum AppliedTo {
    /// The value that the schema itself is applied to. (JSON Schema 2020-12, section 10.2)
    SameValue,
    /// Members, names of members or items of that value. (Section 10.3)
    Parts,
    /// The value that a text encodes. (JSON Schema 2020-12, Validation, section 8.5)
    Content,
    /// Nothing, until a reference leads to it.
    Nothing,
}

/// The specifications that have a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::openapi) enum KeywordSpecs {
    All,
    Swagger2,
    OpenApi30,
    Since30,
    Since31,
    /// None of them, but an edition of JSON Schema before 2020-12.
    EarlierEditions,
}

/// Makes [`SchemaKeyword`] of rows: variant, name, operand, specifications.
macro_rules! schema_keywords {
    ($($variant:ident $name:literal $operand:expr, $specs:ident;)*) => {
        /// A keyword of a schema; they are in the order of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(in crate::openapi) enum SchemaKeyword {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl SchemaKeyword {
            /// All keywords, in the order of the table.
            #[cfg(test)]
            pub(in crate::openapi) const ALL: &[Self] = &[$(Self::$variant),*];

            /// The keyword of a name; `None` for an extension or a misspelt keyword.
            pub(in crate::openapi) fn named(name: &str) -> Option<Self> {
                Some(match name {
                    $($name => Self::$variant,)*
                    _ => return None,
                })
            }

            /// The name, as a schema has it.
            pub(in crate::openapi) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What its value is.
            pub(in crate::openapi) const fn operand(self) -> KeywordOperand {
                use AppliedTo::{Content, Nothing, Parts, SameValue};
                use KeywordOperand::{
                    Count, Flag, Names, NamesByName, Number, NumberOrFlag, Object, Reference, Schema,
                    SchemaOrSchemas, Schemas, SchemasByName, SchemasOrNamesByName, Text, Types, Value, Values,
                };
                match self {
                    $(Self::$variant => $operand,)*
                }
            }

            const fn specs(self) -> KeywordSpecs {
                match self {
                    $(Self::$variant => KeywordSpecs::$specs,)*
                }
            }
        }
    };
}

schema_keywords! {
    // JSON Schema 2020-12, Validation, section 6 and 7: assertions.
    Type "type" Types, All;
    Const "const" Value, Since31;
    Enum "enum" Values, All;
    Minimum "minimum" Number, All;
    Maximum "maximum" Number, All;
    ExclusiveMinimum "exclusiveMinimum" NumberOrFlag, All;
    ExclusiveMaximum "exclusiveMaximum" NumberOrFlag, All;
    MultipleOf "multipleOf" Number, All;
    MinLength "minLength" Count, All;
    MaxLength "maxLength" Count, All;
    MinItems "minItems" Count, All;
    MaxItems "maxItems" Count, All;
    MinProperties "minProperties" Count, All;
    MaxProperties "maxProperties" Count, All;
    Required "required" Names, All;
    DependentRequired "dependentRequired" NamesByName, Since31;
    Pattern "pattern" Text, All;
    Format "format" Text, All;
    UniqueItems "uniqueItems" Flag, All;

    // JSON Schema 2020-12, sections 10.3 and 11: subschemas that are applied to parts of the value.
    Properties "properties" SchemasByName(Parts), All;
    PatternProperties "patternProperties" SchemasByName(Parts), Since31;
    AdditionalProperties "additionalProperties" Schema(Parts), All;
    PropertyNames "propertyNames" Schema(Parts), Since31;
    PrefixItems "prefixItems" Schemas(Parts), Since31;
    Items "items" SchemaOrSchemas, All;
    AdditionalItems "additionalItems" Schema(Parts), EarlierEditions;
    Contains "contains" Schema(Parts), Since31;
    MinContains "minContains" Count, Since31;
    MaxContains "maxContains" Count, Since31;

    // Section 10.2: subschemas that are applied to the same value.
    DependentSchemas "dependentSchemas" SchemasByName(SameValue), Since31;
    Dependencies "dependencies" SchemasOrNamesByName, EarlierEditions;
    AllOf "allOf" Schemas(SameValue), All;
    AnyOf "anyOf" Schemas(SameValue), Since30;
    OneOf "oneOf" Schemas(SameValue), Since30;
    Not "not" Schema(SameValue), Since30;
    If "if" Schema(SameValue), Since31;
    Then "then" Schema(SameValue), Since31;
    Else "else" Schema(SameValue), Since31;

    // Section 11: subschemas that are applied to the parts that no other keyword has evaluated.
    UnevaluatedProperties "unevaluatedProperties" Schema(Parts), Since31;
    UnevaluatedItems "unevaluatedItems" Schema(Parts), Since31;

    // Section 8: identifiers, references and definitions.
    Ref "$ref" Reference, All;
    DynamicRef "$dynamicRef" Reference, Since31;
    Schema "$schema" Text, Since31;
    Vocabulary "$vocabulary" Object, Since31;
    Id "$id" Text, Since31;
    Anchor "$anchor" Text, Since31;
    DynamicAnchor "$dynamicAnchor" Text, Since31;
    Defs "$defs" SchemasByName(Nothing), Since31;
    Definitions "definitions" SchemasByName(Nothing), EarlierEditions;
    Comment "$comment" Text, Since31;

    // JSON Schema 2020-12, Validation, section 8: content of texts.
    ContentEncoding "contentEncoding" Text, Since31;
    ContentMediaType "contentMediaType" Text, Since31;
    ContentSchema "contentSchema" Schema(Content), Since31;

    // Section 9, and "Schema Object" of OpenAPI: annotations.
    Title "title" Text, All;
    Description "description" Text, All;
    Default "default" Value, All;
    Deprecated "deprecated" Flag, Since30;
    ReadOnly "readOnly" Flag, All;
    WriteOnly "writeOnly" Flag, Since30;
    Example "example" Value, All;
    Examples "examples" Values, Since31;
    Discriminator "discriminator" Value, All;
    Xml "xml" Object, All;
    ExternalDocs "externalDocs" Object, All;
    Nullable "nullable" Flag, OpenApi30;
    XNullable "x-nullable" Flag, Swagger2;
}

impl SchemaKeyword {
    /// Whether a specification has it.
    pub(in crate::openapi) const fn belongs_to(self, version: SpecVersion) -> bool {
        match self.specs() {
            KeywordSpecs::All => true,
            KeywordSpecs::Swagger2 => matches!(version, SpecVersion::Swagger2),
            KeywordSpecs::OpenApi30 => matches!(version, SpecVersion::OpenApi30),
            KeywordSpecs::Since30 => !matches!(version, SpecVersion::Swagger2),
            KeywordSpecs::Since31 => matches!(version, SpecVersion::OpenApi31),
            KeywordSpecs::EarlierEditions => false,
        }
    }
}

/// Whether a schema adds null to its types, by `nullable` of OpenAPI 3.0 or `x-nullable` of Swagger 2.0.
pub(in crate::openapi) fn is_nullable(schema: &Value, version: SpecVersion) -> bool {
    let is_set = |keyword: SchemaKeyword| schema.get(keyword.name()).and_then(Value::as_bool) == Some(true);
    let mut keywords = [SchemaKeyword::Nullable, SchemaKeyword::XNullable].into_iter();
    keywords.any(|keyword| keyword.belongs_to(version) && is_set(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Mapping;

    fn flag(name: &str) -> Value {
        [(name, Value::Bool(true))].into_iter().collect::<Mapping>().into()
    }

    #[test]
    fn names_lead_to_their_keywords() {
        for keyword in SchemaKeyword::ALL {
            assert_eq!(SchemaKeyword::named(keyword.name()), Some(*keyword));
        }
        assert_eq!(SchemaKeyword::named("x-internal"), None);
    }

    #[test]
    fn null_is_added_by_the_keyword_of_the_specification() {
        let schema = flag("nullable");
        assert!(is_nullable(&schema, SpecVersion::OpenApi30));
        assert!(!is_nullable(&schema, SpecVersion::Swagger2));
        assert!(!is_nullable(&schema, SpecVersion::OpenApi31));
        let schema = flag("x-nullable");
        assert!(is_nullable(&schema, SpecVersion::Swagger2));
        assert!(!is_nullable(&schema, SpecVersion::OpenApi30));
    }
}
