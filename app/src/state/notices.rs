//! Short messages: what was done, what went wrong.

use std::time::{Duration, Instant};

/// How long a good message stays; errors stay until they are closed.
pub(crate) const SHOWN: Duration = Duration::from_secs(8);

/// Older messages make room.
const NOTICES_MAX: usize = 3;

/// Good or bad news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoticeKind {
    Done,
    Error,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) id: u64,
    pub(crate) kind: NoticeKind,
    /// A whole sentence.
    pub(crate) text: String,
    pub(crate) born: Instant,
}

/// The messages on screen, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    pub(crate) shown: Vec<Notice>,
    next_id: u64,
}

impl Notices {
    pub(crate) fn done(&mut self, text: impl Into<String>) {
        self.push(NoticeKind::Done, text.into());
    }

    pub(crate) fn error(&mut self, text: impl Into<String>) {
        let text = text.into();
        tracing::warn!("{text}");
        self.push(NoticeKind::Error, text);
    }

    fn push(&mut self, kind: NoticeKind, text: String) {
        self.shown.retain(|notice| notice.text != text);
        self.next_id += 1;
        self.shown.push(Notice { id: self.next_id, kind, text, born: Instant::now() });
        let surplus = self.shown.len().saturating_sub(NOTICES_MAX);
        self.shown.drain(..surplus);
    }

    /// Drops what went wrong before: it is about something that is no longer shown.
    pub(crate) fn dismiss_errors(&mut self) {
        self.shown.retain(|notice| notice.kind != NoticeKind::Error);
    }

    pub(crate) fn dismiss(&mut self, id: u64) {
        self.shown.retain(|notice| notice.id != id);
    }

    /// Drops good messages that were shown long enough; answers when the next one is due.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Duration> {
        let age = |notice: &Notice| now.saturating_duration_since(notice.born);
        let is_timed = |notice: &Notice| notice.kind == NoticeKind::Done;
        self.shown.retain(|notice| !is_timed(notice) || age(notice) < SHOWN);
        self.shown
            .iter()
            .filter(|notice| is_timed(notice))
            .map(|notice| SHOWN.saturating_sub(age(notice)))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_news_goes_by_itself_and_errors_stay() {
        let mut notices = Notices::default();
        notices.done("saved");
        notices.error("no room");
        let later = Instant::now() + SHOWN;
        assert_eq!(notices.expire(later), None);
        assert_eq!(notices.shown.len(), 1);
        assert_eq!(notices.shown[0].kind, NoticeKind::Error);
    }

    #[test]
    fn the_same_message_is_shown_once() {
        let mut notices = Notices::default();
        notices.error("no room");
        notices.error("no room");
        assert_eq!(notices.shown.len(), 1);
    }
}
