//! Sessions of browsers that have sent the token of the Admin API.
//!
//! A browser sends a cookie to every port of a host, so that upstreams behind the proxy may see it. The cookie is
//! therefore a random number of a session, which ends with the process, and not the token.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::constant_time::equals_secret;

/// How long a session lasts.
const LIFETIME: Duration = Duration::from_hours(12);

/// Most sessions; the oldest one ends when another one begins.
const MAX_SESSIONS: usize = 256;

/// Sessions of the pages of a gateway.
#[derive(Debug)]
pub struct LoginSessions {
    /// Name of the cookie; gateways on other ports of a host have other names.
    cookie: String,
    sessions: Mutex<VecDeque<LoginSession>>,
}

struct LoginSession {
    id: String,
    end: Instant,
}

impl std::fmt::Debug for LoginSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginSession").field("end", &self.end).finish_non_exhaustive()
    }
}

impl LoginSessions {
    /// No session; `port` distinguishes the cookies of several gateways on a host.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { cookie: format!("mynah_session_{port}"), sessions: Mutex::default() }
    }

    /// Begins a session, and returns the cookie for requests below `path`.
    pub(super) fn begin(&self, path: &str, is_tls: bool) -> Option<HeaderValue> {
        let id = random_id();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        sessions.retain(|session| session.end > now);
        if sessions.len() >= MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(LoginSession { id: id.clone(), end: now + LIFETIME });
        self.cookie(&id, path, is_tls, "")
    }

    /// Ends the session of a request, and returns the cookie that removes its cookie.
    pub(super) fn end(&self, headers: &HeaderMap, path: &str, is_tls: bool) -> Option<HeaderValue> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for id in self.sent_ids(headers) {
            sessions.retain(|session| !equals_secret(session.id.as_bytes(), id.as_bytes()));
        }
        self.cookie("", path, is_tls, "; Max-Age=0")
    }

    /// Whether a request belongs to a session.
    pub(super) fn contains(&self, headers: &HeaderMap) -> bool {
        // A request without the cookie takes no lock.
        let mut ids = self.sent_ids(headers).peekable();
        if ids.peek().is_none() {
            return false;
        }
        let now = Instant::now();
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        ids.take(4).any(|id| {
            let is_session = |session: &LoginSession| equals_secret(session.id.as_bytes(), id.as_bytes());
            sessions.iter().any(|session| session.end > now && is_session(session))
        })
    }

    /// The values of the cookie in a request.
    fn sent_ids<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
        let pairs = fields.flat_map(|field| field.split(';'));
        pairs.filter_map(|pair| pair.trim().strip_prefix(&*self.cookie)?.strip_prefix('='))
    }

    fn cookie(&self, value: &str, path: &str, is_tls: bool, rest: &str) -> Option<HeaderValue> {
        let secure = if is_tls { "; Secure" } else { "" };
        let name = &self.cookie;
        HeaderValue::try_from(format!("{name}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}{rest}"))
            .ok()
    }
}

/// 256 random bits in hexadecimal.
fn random_id() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into memory cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    fn pair(cookie: &HeaderValue) -> String {
        cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_session_lasts_until_it_is_ended() {
        let sessions = LoginSessions::new(8002);
        let cookie = sessions.begin("/-/", false).unwrap();
        assert!(cookie.to_str().unwrap().ends_with("; Path=/-/; HttpOnly; SameSite=Strict"), "{cookie:?}");
        let sent = request(&format!("a=b; {}", pair(&cookie)));
        assert!(sessions.contains(&sent));
        let removed = sessions.end(&sent, "/-/", true).unwrap();
        assert_eq!(removed, "mynah_session_8002=; Path=/-/; HttpOnly; SameSite=Strict; Secure; Max-Age=0");
        assert!(!sessions.contains(&sent));
    }

    #[test]
    fn only_the_whole_id_belongs_to_a_session() {
        let sessions = LoginSessions::new(8002);
        let cookie = pair(&sessions.begin("/-/", false).unwrap());
        for wrong in [
            "mynah_session_8002=".to_owned(),
            "mynah_session_8002=0".to_owned(),
            cookie[..cookie.len() - 1].to_owned(),
            format!("{cookie}0"),
            cookie.replace("8002", "8003"),
            cookie.replace("mynah", "xmynah"),
        ] {
            assert!(!sessions.contains(&request(&wrong)), "{wrong}");
        }
        assert!(!sessions.contains(&HeaderMap::new()));
        assert!(!format!("{sessions:?}").contains(cookie.split_once('=').unwrap().1));
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let sessions = LoginSessions::new(8002);
        let first = pair(&sessions.begin("/-/", false).unwrap());
        for _ in 0..MAX_SESSIONS {
            sessions.begin("/-/", false).unwrap();
        }
        assert!(!sessions.contains(&request(&first)));
        assert_eq!(sessions.sessions.lock().unwrap().len(), MAX_SESSIONS);
    }
}
