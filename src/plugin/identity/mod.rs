//! What the authenticating plugins share: telling the upstream who comes, refusing who shows nothing.

#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};

use super::{Exchange, Flow, PluginSetup, RequestIdentity, setting_values};

const CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const CREDENTIAL_IDENTIFIER: HeaderName = HeaderName::from_static("x-credential-identifier");
const ANONYMOUS_CONSUMER: HeaderName = HeaderName::from_static("x-anonymous-consumer");

/// Lets in who shows a credential, and perhaps others as one Consumer.
pub(super) struct Authenticator {
    /// The id or username of the Consumer that stands for those who show no credential.
    anonymous: Option<String>,
    challenge: HeaderValue,
}

impl Authenticator {
    /// A authenticator that asks for credentials of this scheme, such as `Key`.
    pub(super) fn new(setup: &PluginSetup<'_>, scheme: &str) -> Self {
        let challenge = match setting_values::string(setup.config, "realm") {
            Some(realm) => format!("{scheme} realm=\"{realm}\""),
            None => scheme.to_owned(),
        };
        Self {
            anonymous: setting_values::string(setup.config, "anonymous"),
            challenge: HeaderValue::try_from(challenge).unwrap_or_else(|_| HeaderValue::from_static("")),
        }
    }

    /// Whether nothing needs to be shown any more: of several gates that let in others, one credential is enough.
    pub(super) fn is_satisfied(&self, exchange: &Exchange) -> bool {
        let shown = || exchange.identity.as_ref().is_some_and(|identity| identity.credential.is_some());
        self.anonymous.is_some() && shown()
    }

    /// What tells a client which credentials it is asked for.
    pub(super) const fn challenge(&self) -> &HeaderValue {
        &self.challenge
    }

    /// Refuses with 401, or lets in as the Consumer that stands for those who show nothing.
    pub(super) fn refuse<'a>(&self, exchange: &mut Exchange, message: &str) -> Flow<'a> {
        if let Some(flow) = self.apply_anonymous(exchange) {
            return flow;
        }
        let mut response = exchange.error(StatusCode::UNAUTHORIZED, message);
        response.headers_mut().insert(WWW_AUTHENTICATE, self.challenge.clone());
        Flow::Respond(response)
    }

    /// Lets in as the Consumer that stands for those who show nothing, if there is to be one.
    pub(super) fn apply_anonymous<'a>(&self, exchange: &mut Exchange) -> Option<Flow<'a>> {
        let anonymous = self.anonymous.as_deref()?;
        let Some(consumer) = exchange.consumers().and_then(|all| all.find_by_name(anonymous)).cloned() else {
            let message = "An unexpected error occurred";
            return Some(Flow::Respond(exchange.error(StatusCode::INTERNAL_SERVER_ERROR, message)));
        };
        Some(authenticate(exchange, RequestIdentity { consumer, credential: None }))
    }
}

/// Lets a request in, and tells the upstream who sends it; what the client says of itself is not passed on, and what
/// another plugin has told before does not count any more.
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
