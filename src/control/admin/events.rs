//! `/mynah/events`: a stream of what changes, for pages that are open. (WHATWG HTML, "Server-sent events".)

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{MissedTickBehavior, interval},
};

use super::{AdminApi, traffic::last_second};
use crate::{
    body::{Body, BodyError},
    reply,
};

/// Most open streams.
const MAX_STREAMS: usize = 64;

/// Events of a stream that the client has not read yet; a client that is slower loses its connection, and connects anew.
const MAX_UNREAD: usize = 32;

/// Interval at which the state is compared with what was sent.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Checks between two comments that keep the connection open through proxies.
const CHECKS_PER_COMMENT: u32 = 60;

/// The streams of this process.
#[derive(Debug)]
pub(super) struct EventStreams(Arc<Semaphore>);

impl Default for EventStreams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

/// Topics of a stream.
#[derive(Clone, Copy)]
struct EventTopics {
    config: bool,
    traffic: bool,
    exchanges: bool,
}

impl EventTopics {
    /// The topics of a query `topics=config,traffic`; without it, all but exchanges, whose recording costs something.
    fn new(query: &str) -> Result<Self, String> {
        let Some((_, topics)) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "topics")
        else {
            return Ok(Self { config: true, traffic: true, exchanges: false });
        };
        let mut chosen = Self { config: false, traffic: false, exchanges: false };
        for topic in topics.split(',') {
            match topic.trim() {
                "config" => chosen.config = true,
                "traffic" => chosen.traffic = true,
                "exchanges" => chosen.exchanges = true,
                other => {
                    return Err(format!("unknown topic: {other}; the topics are config, traffic, exchanges"));
                }
            }
        }
        Ok(chosen)
    }
}

impl AdminApi {
    /// Opens a stream of events.
    pub(super) fn events(self: &Arc<Self>, query: &str) -> Response<Body> {
        let topics = match EventTopics::new(query) {
            Ok(topics) => topics,
            Err(message) => return reply::message(StatusCode::BAD_REQUEST, &message),
        };
        let Ok(permit) = Arc::clone(&self.event_streams.0).try_acquire_owned() else {
            let message = format!("{MAX_STREAMS} streams of events are open already");
            let mut response = reply::message(StatusCode::SERVICE_UNAVAILABLE, &message);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            return response;
        };
        let (sender, receiver) = mpsc::channel(MAX_UNREAD);
        tokio::spawn(send_events(Arc::downgrade(self), topics, sender));
        let mut response = Response::new(Body::boxed(EventBody { receiver, _permit: permit }));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // nginx buffers responses unless it is asked not to.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        response
    }

    /// What an event of the configuration says.
    fn config_event(&self) -> Value {
        let history = self.control.load_history();
        json!({
            "generation": self.control.live().current().generation,
            "source": history.source,
            "loads": history.loads,
            "failures": history.failures,
            "error": history.last_error.map(|failure| failure.report.summary()),
            "pending": history.pending.map(|pending| pending.report.summary()),
        })
    }
}

/// Sends events until the client leaves or is too slow, or the process drains.
async fn send_events(api: Weak<AdminApi>, topics: EventTopics, sender: mpsc::Sender<Bytes>) {
    let mut turns = interval(CHECK_INTERVAL);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut config, mut second, mut exchange) = (Value::Null, 0, 0);
    let mut seconds = api.upgrade().and_then(|api| Some(api.traffic.as_ref()?.second_changes()));
    let mut checks: u32 = 0;
    loop {
        tokio::select! {
            _ = turns.tick() => {}
            () = sender.closed() => return,
        }
        let Some(api) = api.upgrade().filter(|api| !api.readiness.is_draining()) else { return };
        let mut events = Vec::new();
        if topics.config {
            let now = api.config_event();
            if now != config {
                events.push(event("config", &now));
                config = now;
            }
        }
        if let Some(monitor) = &api.traffic {
            let now = seconds.as_mut().map_or(0, |seconds| *seconds.borrow_and_update());
            if topics.traffic && now != second {
                second = now;
                events.extend(last_second(monitor).map(|numbers| event("traffic", &numbers)));
            }
            if topics.exchanges {
                monitor.watch();
                let last = monitor.last_exchange();
                if last != exchange {
                    exchange = last;
                    events.push(event("exchanges", &json!({ "last": last })));
                }
            }
        }
        checks += 1;
        if checks % CHECKS_PER_COMMENT == 1 {
            events.push(Bytes::from_static(b": open\n\n"));
        }
        if events.into_iter().any(|event| sender.try_send(event).is_err()) {
            return;
        }
    }
}

fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// Body of a stream of events.
struct EventBody {
    receiver: mpsc::Receiver<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl http_body::Body for EventBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.receiver.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_chosen_by_name() {
        let chosen =
            |query| EventTopics::new(query).map(|topics| (topics.config, topics.traffic, topics.exchanges));
        assert_eq!(chosen(""), Ok((true, true, false)));
        assert_eq!(chosen("topics=exchanges"), Ok((false, false, true)));
        assert_eq!(chosen("topics=config,+exchanges"), Ok((true, false, true)));
        assert!(chosen("topics=news").is_err_and(|message| message.contains("config, traffic, exchanges")));
    }

    #[test]
    fn an_event_is_one_block() {
        assert_eq!(event("config", &json!({ "a": "b\nc" })), "event: config\ndata: {\"a\":\"b\\nc\"}\n\n");
    }
}
