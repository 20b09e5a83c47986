//! New settings for a server that runs: SIGHUP has the file read again, and the files that it names.
//!
//! Either all of it is right and holds from then on, or none of it does. What a running server cannot change (its
//! address, its store) is told, and is for the next start.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::signal::unix::Signal;

use super::serve::access;
use super::settings;
use crate::config::Config;
use crate::http::tls::{self, Tls};
use crate::http::{Rights, Server};
use crate::limits::Secret;
use crate::store::AnyStore;

/// Reads the settings again, as at the start.
pub(super) type Again = Box<dyn Fn() -> anyhow::Result<Config> + Send>;

/// A server that runs, and what it was told.
pub(super) struct Live {
    pub(super) again: Again,
    /// What holds; where something needs a restart, what held at the start.
    pub(super) config: Config,
    pub(super) server: Arc<Server<AnyStore>>,
    pub(super) listening: SocketAddr,
    pub(super) tls: Option<Arc<Tls>>,
    /// What sessions of the pages are sealed with: those of passwords that stay go on.
    pub(super) key: Secret<[u8; 32]>,
    pub(super) retention_days: Arc<AtomicU32>,
}

impl Live {
    /// Takes new settings whenever the signal comes; returns when the terminal is gone that the server was started from.
    pub(super) async fn keep_up(mut self, mut hangup: Signal) {
        let had_terminal = std::io::stdin().is_terminal();
        while hangup.recv().await.is_some() {
            if had_terminal && !std::io::stdin().is_terminal() {
                return;
            }
            match self.take() {
                Ok(()) => {
                    let keys = self.config.accounts.iter().map(|account| account.keys.len()).sum::<usize>();
                    let apps = self.config.accounts.iter().map(|account| account.apps.len()).sum::<usize>();
                    tracing::info!(keys, apps, "the new settings hold");
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "the new settings are refused; the old ones stay in force");
                }
            }
        }
    }

    fn take(&mut self) -> anyhow::Result<()> {
        let new = (self.again)()?;
        settings::refuse_open(&new, self.listening)?;
        let acceptor = match (&self.tls, &new.tls) {
            (Some(_), Some(files)) => Some(tls::acceptor(&files.cert_file, &files.key_file)?),
            (_, _) => None,
        };
        let access = match self.config.ui.enabled {
            true => Some(access(&new, self.listening, self.key.clone())?),
            false => None,
        };
        let mut new = new;
        for doubt in settings::doubts(&new) {
            tracing::warn!("{doubt}");
        }
        for setting in new.keep_what_needs_a_restart(&self.config) {
            tracing::warn!(setting, "this has changed, which takes effect at the next start");
        }
        if let (Some(tls), Some(acceptor)) = (&self.tls, acceptor) {
            tls.set(acceptor);
        }
        self.server.allow(Rights {
            policy: settings::policy(&new),
            apps: settings::apps(&new),
            access,
            gate: settings::gate(&new),
        });
        self.retention_days.store(new.retention_days, Ordering::Relaxed);
        self.config = new;
        Ok(())
    }
}
