//! Authentication, as all authenticating plugins share it: headers for the upstream, challenges, anonymous access.

#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};

use super::{Consumers, Exchange, Flow, PluginSetup, PresentedCredential, RequestIdentity, setting_values};
use crate::schema::{Field, FieldKind};

const CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
const ANONYMOUS_CONSUMER: HeaderName = HeaderName::from_static("x-anonymous-consumer");

/// The setting `anonymous` of authenticating plugins.
pub(crate) const ANONYMOUS: Field = Field::new("anonymous", FieldKind::String)
    .describe("the id or username of the consumer that a request without credentials counts as");

/// The setting `hide_credentials` of authenticating plugins.
pub(super) const HIDE_CREDENTIALS: Field = Field::new("hide_credentials", FieldKind::Boolean)
    .describe("whether the upstream does not see the credential")
    .required()
    .default("false");

/// The challenge of an authenticating plugin, and its rule for requests without credentials.
pub(super) struct Authenticator {
    /// The id or username of the Consumer for requests without valid credentials.
    anonymous: Option<String>,
    challenge: HeaderValue,
}

impl Authenticator {
    /// For a plugin with this authentication scheme, such as `Key`.
    pub(super) fn new(setup: &PluginSetup<'_>, scheme: &str) -> Self {
        let challenge = match setting_values::string(setup.config, "realm") {
            Some(realm) => format!("{scheme} realm=\"{realm}\""),
            None => scheme.to_owned(),
        };
        Self {
            anonymous: setting_values::string(setup.config, ANONYMOUS.name),
            challenge: HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("")),
        }
    }

    /// Whether another plugin has authenticated the request, so that this one need not. Only with `anonymous`: of several
    /// such plugins, one credential is enough. (Kong: "Multiple authentication".)
    pub(super) fn is_satisfied(&self, exchange: &Exchange) -> bool {
        let has_credential =
            || exchange.identity.as_ref().is_some_and(|identity| identity.credential.is_some());
        self.anonymous.is_some() && has_credential()
    }

    /// The value of `WWW-Authenticate`.
    pub(super) const fn challenge(&self) -> &HeaderValue {
        &self.challenge
    }

    /// The message for a request whose credential is in quarantine: the one that it shows, or an unknown one that may be it and
    /// would count as anonymous.
    pub(super) fn quarantine_message<'c>(
        &self,
        consumers: &'c Consumers,
        kind: PresentedCredential,
        shown: &str,
        is_known: bool,
    ) -> Option<&'c str> {
        let may_be_it = !is_known && self.anonymous.is_some();
        let unknown = || may_be_it.then(|| consumers.unknown_message(kind)).flatten();
        consumers.quarantine_message(kind, shown).or_else(unknown)
    }

    /// Responds with 401, or continues as the anonymous Consumer.
    pub(super) fn refuse<'a>(&self, exchange: &mut Exchange, message: &str) -> Flow<'a> {
        if let Some(flow) = self.apply_anonymous(exchange) {
            return flow;
        }
        let mut response = exchange.error(StatusCode::UNAUTHORIZED, message);
        response.headers_mut().insert(WWW_AUTHENTICATE, self.challenge.clone());
        Flow::Respond(response)
    }

    /// Continues as the anonymous Consumer; `None` if there is none. Responds with 500 if it does not exist, as Kong does.
    pub(super) fn apply_anonymous<'a>(&self, exchange: &mut Exchange) -> Option<Flow<'a>> {
        let anonymous = self.anonymous.as_deref()?;
        let Some(consumer) = exchange.consumers().and_then(|all| all.find_by_name(anonymous)).cloned() else {
            let message = "An unexpected error occurred";
            return Some(Flow::Respond(exchange.error(StatusCode::INTERNAL_SERVER_ERROR, message)));
        };
        Some(authenticate(exchange, RequestIdentity { consumer, credential: None }))
    }
}

/// Responds with 503 to a request whose credential is in quarantine.
pub(super) fn refuse_quarantined<'a>(exchange: &Exchange, message: &str) -> Flow<'a> {
    Flow::Respond(exchange.error(StatusCode::SERVICE_UNAVAILABLE, message))
}

/// Sets the identity of a request and the headers that carry it upstream. They replace those of the client, and those that
/// another plugin has set.
pub(super) fn authenticate<'a>(exchange: &mut Exchange, identity: RequestIdentity) -> Flow<'a> {
    let upstream = &mut exchange.upstream;
    let mut set = |name: HeaderName, value: Option<&HeaderValue>| match value {
        Some(value) => upstream.set_field(name, value.clone()),
        None => upstream.revert_field(&name),
    };
    let consumer = &identity.consumer.headers;
    let credential = identity.credential.as_deref().map(|credential| &credential.identifier);
    set(CONSUMER_ID, consumer.id.as_ref());
    set(CONSUMER_CUSTOM_ID, consumer.custom_id.as_ref());
    set(CONSUMER_USERNAME, consumer.username.as_ref());
    set(CREDENTIAL_IDENTIFIER, credential);
    set(ANONYMOUS_CONSUMER, credential.is_none().then_some(&HeaderValue::from_static("true")));
    exchange.identity = Some(identity);
    Flow::Continue
}
