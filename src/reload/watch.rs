//! Watching the files: when they have been quiet for a while after a change, reload.
//!
//! Owns: the file-system watch. Never: reads the files.
//!
//! Directories are watched, not files: editors replace files, and Kubernetes swaps a symlink in
//! the directory. The directory's parent is watched too, for the directory itself may be a symlink
//! that is swapped.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::Reloader;
use super::report::Cause;
use crate::context::Context;

/// Watches until the task is dropped. An error means that nothing is watched; reloads by signal
/// and command work all the same.
pub async fn watch(
    context: Arc<Context>,
    reloader: Arc<Reloader>,
    config_file: Option<PathBuf>,
) -> notify::Result<()> {
    let directory = absolute(reloader.directory());
    let config_file = config_file.map(|file| absolute(&file));
    let (sender, mut changes) = mpsc::channel::<()>(1);
    let of_interest = {
        let (directory, config_file) = (directory.clone(), config_file.clone());
        move |path: &Path| path.starts_with(&directory) || Some(path) == config_file.as_deref()
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let Ok(event) = event else { return };
        if matters(&event.kind) && event.paths.iter().any(|path| of_interest(path)) {
            // Full: a reload is due already.
            let _ = sender.try_send(());
        }
    })?;
    observe(&mut watcher, &directory, config_file.as_deref())?;
    loop {
        if changes.recv().await.is_none() {
            return Ok(());
        }
        // Quiet for the whole time, not only at its end.
        let settle = context.config().rules.settle.0;
        while tokio::time::timeout(settle, changes.recv())
            .await
            .is_ok_and(|change| change.is_some())
        {}
        // The directory may be another one under the same name.
        if let Err(error) = observe(&mut watcher, &directory, config_file.as_deref()) {
            tracing::warn!(%error, "the rules' directory can't be watched at the moment");
        }
        reloader.reload(Cause::FileChanged).await;
    }
}

/// Reading a file isn't a change of it.
fn matters(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
}

fn observe(
    watcher: &mut RecommendedWatcher,
    directory: &Path,
    config_file: Option<&Path>,
) -> notify::Result<()> {
    for parent in [directory.parent(), config_file.and_then(Path::parent)].into_iter().flatten() {
        watcher.watch(parent, RecursiveMode::NonRecursive)?;
    }
    watcher.watch(directory, RecursiveMode::NonRecursive)
}

/// Without following symlinks: the name is what is watched.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
