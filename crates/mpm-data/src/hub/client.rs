//! The Hub, with its cache.

use std::{fs, ops::ControlFlow, path::PathBuf};

use super::{
    HubConfig, HubError, HubFolder, HubProgress, HubReference,
    cache::{Cached, RepoCache},
    download::{complete, persist},
    lock::Lock,
    model_files::model_files,
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
        let cache = RepoCache::new(&self.config.cache, reference.repo());
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

    /// Where a model folder is: its configuration, what stands beside it, and the weights in one
    /// format, all from the same commit. Of a pipeline of `diffusers`, which has `model_index.json`,
    /// the folders of its parts are a part of it.
    ///
    /// The Hub is always asked which files there are, as a cache does not tell what it lacks; what
    /// is in the cache is not downloaded again. Offline, the folder is used as it is there.
    ///
    /// # Errors
    /// Those of [`fetch_weights`](Self::fetch_weights), and [`HubError::NotModel`] for a folder
    /// without a configuration.
    pub fn fetch_folder(
        &self,
        folder: &HubFolder,
        on_progress: &mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>,
    ) -> Result<PathBuf, HubError> {
        let cache = RepoCache::new(&self.config.cache, folder.repo());
        if self.config.offline {
            let found = cache.find_folder(folder.path());
            return found.ok_or_else(|| HubError::NotCached {
                name: folder.to_string(),
                cache: self.config.cache.clone(),
            });
        }
        let watch = &mut Watch::new(folder.path(), on_progress);
        let listing = persist(&self.config, watch, |watch, _| {
            self.remote.listing(folder.repo(), watch)
        })?;
        let paths = listing.within(folder.path());
        let files = model_files(&paths);
        if !files.iter().any(|file| file.ends_with(".json")) {
            return Err(HubError::NotModel {
                folder: folder.to_string(),
                files: paths.into_iter().map(str::to_owned).collect(),
            });
        }
        let at_commit = HubFolder::new(folder.repo().at(&listing.commit)?, folder.path())?;
        for file in files {
            self.fetch_weights(&at_commit.file(file)?, on_progress)?;
        }
        // Only now, so that nobody takes a part of the folder for all of it.
        cache.remember(&listing.commit)?;
        Ok(cache.folder_at(&listing.commit, folder.path()))
    }

    fn get(
        &self,
        reference: &HubReference,
        on_progress: &mut dyn FnMut(HubProgress<'_>) -> ControlFlow<()>,
    ) -> Result<Cached, HubError> {
        let cache = RepoCache::new(&self.config.cache, reference.repo());
        if let Some(cached) = cache.find(reference.file()) {
            return Ok(cached);
        }
        if self.config.offline {
            return Err(HubError::NotCached {
                name: reference.to_string(),
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
