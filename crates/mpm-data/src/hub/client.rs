//! The Hub, with its cache.

use std::{fs, ops::ControlFlow, path::PathBuf};

use super::{
    HubConfig, HubError, HubProgress, HubReference,
    cache::{Cached, RepoCache},
    download::{complete, persist},
    lock::Lock,
    part::Part,
    progress::Watch,
    remote::Remote,
    shards::{is_index, shards},
};

/// The Hugging Face Hub, with its cache.
#[derive(Debug)]
pub struct Hub {
    config: HubConfig,
    remote: Remote,
}

impl Hub {
    /// The Hub as configured. Nothing is asked or written yet.
    ///
    /// # Errors
    /// [`HubError::Endpoint`].
    pub fn new(config: HubConfig) -> Result<Self, HubError> {
        let remote = Remote::new(&config)?;
        Ok(Self { config, remote })
    }

    /// Where a file is, if it is in the cache. A branch is taken to be where it was when something
    /// of it was downloaded last.
    pub fn cached(&self, reference: &HubReference) -> Option<PathBuf> {
        let cache = RepoCache::new(&self.config.cache, reference);
        Some(cache.find(reference.file())?.path)
    }

    /// Where a file is, downloaded if it is not in the cache. The path is in the snapshot of the
    /// repository, under the file's own name.
    ///
    /// `on_progress` is called often, also while nothing arrives, and ends the download by
    /// breaking. What has arrived until then is kept.
    ///
    /// # Errors
    /// [`HubError`]; the next call goes on where this one ended.
    pub fn fetch(
        &self,
        reference: &HubReference,
        on_progress: &mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>,
    ) -> Result<PathBuf, HubError> {
        Ok(self.get(reference, on_progress)?.path)
    }

    /// The same for the weights of a model, which may be in several files: of an index,
    /// `*.index.json`, all files that it names are downloaded beside it, from the same commit.
    ///
    /// # Errors
    /// Those of [`fetch`](Self::fetch), and [`HubError::Index`], [`HubError::Shard`] for an index
    /// that is none.
    pub fn fetch_weights(
        &self,
        reference: &HubReference,
        on_progress: &mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>,
    ) -> Result<PathBuf, HubError> {
        let Cached { commit, path } = self.get(reference, on_progress)?;
        if is_index(reference) {
            for shard in shards(reference, &commit, &path)? {
                self.get(&shard, on_progress)?;
            }
        }
        Ok(path)
    }

    fn get(
        &self,
        reference: &HubReference,
        on_progress: &mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>,
    ) -> Result<Cached, HubError> {
        let cache = RepoCache::new(&self.config.cache, reference);
        if let Some(cached) = cache.find(reference.file()) {
            return Ok(cached);
        }
        if self.config.offline {
            return Err(HubError::NotCached {
                reference: Box::new(reference.clone()),
                cache: self.config.cache.clone(),
            });
        }
        let watch = &mut Watch::new(reference.file(), on_progress);
        let file = persist(&self.config, watch, |watch, _| {
            self.remote.file(reference, watch)
        })?;
        let blob = cache.blob(&file.checksum);
        let is_there =
            || fs::metadata(&blob).is_ok_and(|found| found.is_file() && found.len() == file.size);
        if !is_there() {
            let _lock = Lock::acquire(&cache.lock(&file.checksum), watch)?;
            // Another process may have downloaded it meanwhile.
            if !is_there() {
                let path = cache.part(&file.checksum);
                let mut part = Part::open(path, &file.checksum, file.size, watch)?;
                let completed = complete(
                    &self.config,
                    &self.remote,
                    reference,
                    &file,
                    &mut part,
                    watch,
                );
                match completed {
                    Ok(()) => part.finish(reference.file(), &blob)?,
                    // An empty file would be litter in the folder of others.
                    Err(error @ HubError::BadReply { .. }) if part.done() == 0 => {
                        part.discard()?;
                        return Err(error);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let path = cache.place(reference.file(), &file.commit, &file.checksum)?;
        let commit = file.commit;
        Ok(Cached { commit, path })
    }
}
