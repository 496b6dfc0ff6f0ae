//! Counters of clients in Redis, shared by several nodes. (Kong: Rate Limiting plugin, policy `redis`.)
//!
//! All threads share one connection. It is opened by the first request, and again after a failure. While the server is
//! unreachable, one request a second tries to connect, and the others fail at once.

use std::{
    error::Error,
    fmt,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{AsyncConnectionConfig, RedisConnectionInfo, Script, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};

use super::{
    local_counters::{Identifier, LimitUsage},
    period::{LimitPeriod, PERIODS},
};
use crate::{
    document::Value,
    plugin::{PluginSetup, setting_values},
    upstream::TlsSettings,
};

/// Identifiers longer than this, in bytes, are replaced by their digest in keys.
const MAX_IDENTIFIER_BYTES: usize = 128;

/// The time without attempts after a failed connection.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Counts a request in every window unless one has reached its limit. KEYS has the windows; ARGV has two values for each
/// window, its limit and the lifetime of its counter in seconds. Returns whether the request was counted, and all counts.
static COUNT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local counts, room = {}, 1
         for n, key in ipairs(KEYS) do
           counts[n] = tonumber(redis.call('GET', key) or 0)
           if counts[n] >= tonumber(ARGV[2 * n - 1]) then room = 0 end
         end
         if room == 1 then
           for n, key in ipairs(KEYS) do
             counts[n] = redis.call('INCR', key)
             if counts[n] == 1 then redis.call('EXPIRE', key, ARGV[2 * n]) end
           end
         end
         return {room, unpack(counts)}",
    )
});

/// Counters of clients in fixed windows, in Redis.
pub(super) struct RedisCounters {
    /// The prefix of keys. Contains the plugin's id, so that nodes with the same configuration share counters.
    prefix: String,
    server: RedisServer,
    state: Mutex<ConnectionState>,
    /// Held while a connection is opened.
    connecting: AsyncMutex<()>,
}

/// Address and credentials of the server.
struct RedisServer {
    host: String,
    port: u16,
    tls: Option<Arc<TlsSettings>>,
    /// The name in its certificate, if it differs from the host.
    name: Option<String>,
    info: RedisConnectionInfo,
    call_timeout: Duration,
}

/// State of the connection.
enum ConnectionState {
    None,
    Up(MultiplexedConnection),
    /// It could not be opened, at this time.
    Down(Instant),
}

/// The keys of the windows in which a request is counted.
pub(super) struct CountRequest(Vec<String>);

/// A request could not be counted; the reason is logged.
#[derive(Debug)]
pub(super) struct CountFailed;

impl RedisCounters {
    /// Counters on the server in the settings.
    pub(super) fn new(setup: &PluginSetup<'_>) -> Self {
        Self {
            prefix: format!("ratelimit:{{{}", setup.id),
            server: RedisServer::new(setup.config.get("redis").unwrap_or(&Value::Null)),
            state: Mutex::new(ConnectionState::None),
            connecting: AsyncMutex::default(),
        }
    }

    /// The keys for a request at `now`, Unix time in seconds.
    pub(super) fn count_request(
        &self,
        identifier: Identifier<'_>,
        limits: &[(LimitPeriod, u64)],
        now: u64,
    ) -> CountRequest {
        let client = match identifier {
            Identifier::Address(address) => address.to_string(),
            Identifier::Text(text) if text.len() > MAX_IDENTIFIER_BYTES => digest(text),
            Identifier::Text(text) => text.to_owned(),
        };
        let key = |&(period, _): &(LimitPeriod, u64)| {
            // The text in braces decides the node of a Redis Cluster: all keys of a script must be on one node.
            format!("{}:{client}}}:{}:{}", self.prefix, period.start(now), period.name())
        };
        CountRequest(limits.iter().map(key).collect())
    }

    /// Counts a request unless a limit is reached; a rejected request is not counted.
    pub(super) async fn count(
        &self,
        request: CountRequest,
        limits: &[(LimitPeriod, u64)],
    ) -> Result<LimitUsage, CountFailed> {
        let mut connection = self.connection().await?;
        let mut call = COUNT.prepare_invoke();
        for (key, (period, limit)) in request.0.iter().zip(limits) {
            call.key(key).arg(limit).arg(period.seconds());
        }
        let values: Vec<u64> =
            match timeout(self.server.call_timeout, call.invoke_async(&mut connection)).await {
                Ok(Ok(values)) => values,
                Ok(Err(error)) => return Err(self.drop_connection(&error)),
                Err(_) => return Err(self.drop_connection(&"it does not answer in time")),
            };
        let mut usage = LimitUsage { allowed: values.first() == Some(&1), counts: [0; PERIODS.len()] };
        for (&(period, _), count) in limits.iter().zip(values.iter().skip(1)) {
            usage.counts[period as usize] = *count;
        }
        Ok(usage)
    }

    async fn connection(&self) -> Result<MultiplexedConnection, CountFailed> {
        if let Some(known) = self.current_connection() {
            return known;
        }
        let _turn = self.connecting.lock().await;
        if let Some(known) = self.current_connection() {
            return known;
        }
        let connected = timeout(self.server.call_timeout, self.server.connect()).await;
        let connection = match connected {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(self.note_unreachable(&error)),
            Err(_) => return Err(self.note_unreachable(&"it does not answer in time")),
        };
        *self.state() = ConnectionState::Up(connection.clone());
        Ok(connection)
    }

    /// The connection, or the failure not to be retried yet; `None` if a connection has to be opened.
    fn current_connection(&self) -> Option<Result<MultiplexedConnection, CountFailed>> {
        match &*self.state() {
            ConnectionState::Up(connection) => Some(Ok(connection.clone())),
            ConnectionState::Down(since) if since.elapsed() < RECONNECT_DELAY => Some(Err(CountFailed)),
            ConnectionState::Down(_) | ConnectionState::None => None,
        }
    }

    /// Drops a connection that failed.
    fn drop_connection(&self, error: &dyn fmt::Display) -> CountFailed {
        let RedisServer { host, port, .. } = &self.server;
        tracing::warn!(
            "rate-limiting: the Redis at {host}:{port} failed: {error}; requests are not counted there"
        );
        *self.state() = ConnectionState::None;
        CountFailed
    }

    fn note_unreachable(&self, error: &dyn fmt::Display) -> CountFailed {
        let RedisServer { host, port, .. } = &self.server;
        tracing::warn!(
            "rate-limiting: cannot reach the Redis at {host}:{port}: {error}; requests are not counted there"
        );
        *self.state() = ConnectionState::Down(Instant::now());
        CountFailed
    }

    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        // It holds no invariant that a panic could break.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest of an identifier, the same on all nodes.
fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold("sha256-".to_owned(), |digits, byte| digits + &format!("{byte:02x}"))
}

impl RedisServer {
    fn new(redis: &Value) -> Self {
        let text = |field| setting_values::string(redis, field).filter(|text| !text.is_empty());
        let port = setting_values::integer(redis, "port").and_then(|number| u16::try_from(number).ok());
        let call_timeout =
            setting_values::integer(redis, "timeout").and_then(|number| u64::try_from(number).ok());
        let tls = setting_values::boolean(redis, "ssl").then(|| {
            let verify = setting_values::boolean(redis, "ssl_verify");
            if verify { TlsSettings::verifying() } else { TlsSettings::trusting() }
        });
        let mut info = RedisConnectionInfo::default()
            .set_db(setting_values::integer(redis, "database").unwrap_or_default())
            .set_skip_set_lib_name();
        if let Some(password) = text("password") {
            info = info.set_password(password);
            if let Some(user) = text("username") {
                info = info.set_username(user);
            }
        }
        Self {
            host: text("host").unwrap_or_default(),
            port: port.unwrap_or(6379),
            tls,
            name: text("server_name"),
            info,
            call_timeout: Duration::from_millis(call_timeout.unwrap_or(2000)),
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return self.set_up(stream).await };
        let name = self.name.as_ref().unwrap_or(&self.host);
        self.set_up(tls.connect(name, stream).await?).await
    }

    /// Authenticates, selects the database, and starts the task of the connection.
    async fn set_up(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<MultiplexedConnection, Box<dyn Error + Send + Sync>> {
        // Callers limit the time of each request.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.info, stream, config).await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}
