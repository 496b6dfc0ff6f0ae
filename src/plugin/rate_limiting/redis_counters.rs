//! CENTRAL: counters in a Redis, which several nodes share. (Kong: Rate Limiting plugin, policy `redis`.)
//!
//! One connection carries the requests of all threads. It is made when the first one comes and after it broke; while
//! the server cannot be reached, one request a second tries it, and the others do not wait.

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

/// A longer text stands in a key by its digest, in bytes.
const LONGEST_KEY: usize = 128;

/// How long a server that could not be reached is left alone.
const REST: Duration = Duration::from_secs(1);

/// Counts a request in every window unless one is full. Keys are windows; of arguments there are two a window, its
/// limit and how many seconds its counter is kept. Returns whether the request was counted, and all counts.
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

/// Counters of clients in fixed windows, in a Redis.
pub(super) struct RedisCounters {
    /// What keys begin with: nodes that share a configuration share counters.
    prefix: String,
    server: RedisServer,
    link: Mutex<RedisLink>,
    /// Held by whoever makes a connection.
    connecting: AsyncMutex<()>,
}

/// Where the Redis is, and who asks it.
struct RedisServer {
    host: String,
    port: u16,
    tls: Option<Arc<TlsSettings>>,
    /// What its certificate is for, if that is not the host.
    name: Option<String>,
    info: RedisConnectionInfo,
    patience: Duration,
}

/// What is known of the connection.
enum RedisLink {
    None,
    Up(MultiplexedConnection),
    /// It could not be made, then.
    Down(Instant),
}

/// A request to be counted: the keys of its windows.
pub(super) struct CountRequest(Vec<String>);

/// A request could not be counted; why is in the log.
#[derive(Debug)]
pub(super) struct CountFailed;

impl RedisCounters {
    /// Counters of this plugin where its settings say.
    pub(super) fn new(setup: &PluginSetup<'_>) -> Self {
        Self {
            prefix: format!("ratelimit:{{{}", setup.id),
            server: RedisServer::new(setup.config.get("redis").unwrap_or(&Value::Null)),
            link: Mutex::new(RedisLink::None),
            connecting: AsyncMutex::default(),
        }
    }

    /// What counting a request at `now` (Unix time in seconds) asks for.
    pub(super) fn ask(
        &self,
        identifier: Identifier<'_>,
        limits: &[(LimitPeriod, u64)],
        now: u64,
    ) -> CountRequest {
        let client = match identifier {
            Identifier::Address(address) => address.to_string(),
            Identifier::Text(text) if text.len() > LONGEST_KEY => digest(text),
            Identifier::Text(text) => text.to_owned(),
        };
        let key = |&(period, _): &(LimitPeriod, u64)| {
            // What is in braces decides where in a cluster a key is: all of a client have to be in one place.
            format!("{}:{client}}}:{}:{}", self.prefix, period.start(now), period.name())
        };
        CountRequest(limits.iter().map(key).collect())
    }

    /// Counts a request unless a limit is reached; a refused one counts nowhere.
    pub(super) async fn count(
        &self,
        asked: CountRequest,
        limits: &[(LimitPeriod, u64)],
    ) -> Result<LimitUsage, CountFailed> {
        let mut connection = self.connection().await?;
        let mut call = COUNT.prepare_invoke();
        for (key, (period, limit)) in asked.0.iter().zip(limits) {
            call.key(key).arg(limit).arg(period.seconds());
        }
        let found: Vec<u64> = match timeout(self.server.patience, call.invoke_async(&mut connection)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(self.lost(&error)),
            Err(_) => return Err(self.lost(&"it does not answer in time")),
        };
        let mut usage = LimitUsage { allowed: found.first() == Some(&1), counts: [0; PERIODS.len()] };
        for (&(period, _), count) in limits.iter().zip(found.iter().skip(1)) {
            usage.counts[period as usize] = *count;
        }
        Ok(usage)
    }

    async fn connection(&self) -> Result<MultiplexedConnection, CountFailed> {
        if let Some(known) = self.known() {
            return known;
        }
        let _turn = self.connecting.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let made = timeout(self.server.patience, self.server.connect()).await;
        let connection = match made {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(self.unreachable(&error)),
            Err(_) => return Err(self.unreachable(&"it does not answer in time")),
        };
        *self.link() = RedisLink::Up(connection.clone());
        Ok(connection)
    }

    /// The connection, or that there can be none now; `None` if one is to be made.
    fn known(&self) -> Option<Result<MultiplexedConnection, CountFailed>> {
        match &*self.link() {
            RedisLink::Up(connection) => Some(Ok(connection.clone())),
            RedisLink::Down(since) if since.elapsed() < REST => Some(Err(CountFailed)),
            RedisLink::Down(_) | RedisLink::None => None,
        }
    }

    /// Gives up a connection that failed.
    fn lost(&self, error: &dyn fmt::Display) -> CountFailed {
        let RedisServer { host, port, .. } = &self.server;
        tracing::warn!(
            "rate-limiting: the Redis at {host}:{port} failed: {error}; requests are not counted there"
        );
        *self.link() = RedisLink::None;
        CountFailed
    }

    fn unreachable(&self, error: &dyn fmt::Display) -> CountFailed {
        let RedisServer { host, port, .. } = &self.server;
        tracing::warn!(
            "rate-limiting: cannot reach the Redis at {host}:{port}: {error}; requests are not counted there"
        );
        *self.link() = RedisLink::Down(Instant::now());
        CountFailed
    }

    fn link(&self) -> MutexGuard<'_, RedisLink> {
        // It holds no invariant that a panic could break.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A short text that stands for a long one, the same on all nodes.
fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().fold("sha256-".to_owned(), |digits, byte| digits + &format!("{byte:02x}"))
}

impl RedisServer {
    fn new(redis: &Value) -> Self {
        let text = |field| setting_values::string(redis, field).filter(|text| !text.is_empty());
        let port = setting_values::integer(redis, "port").and_then(|number| u16::try_from(number).ok());
        let patience =
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
            patience: Duration::from_millis(patience.unwrap_or(2000)),
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Box<dyn Error + Send + Sync>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return self.greet(stream).await };
        let name = self.name.as_ref().unwrap_or(&self.host);
        self.greet(tls.connect(name, stream).await?).await
    }

    /// Says who asks and which database is meant.
    async fn greet(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<MultiplexedConnection, Box<dyn Error + Send + Sync>> {
        // Each question has its time already.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.info, stream, config).await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}
