//! A folder of large files that is written in several runs: what a run that was ended has
//! finished, the next one need not do again.
//!
//! The files are gathered in a folder within the folder, each under its name as soon as it is
//! whole, with its checksum in [`CHECKSUMS_FILE`]. When all are there they are moved to their
//! places, the configuration last, so a folder that has one is complete.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    atomic,
    model_folder::{CONFIG_FILE, FolderError},
};

/// The checksums of a folder's files, as `sha256sum` writes and checks them.
pub const CHECKSUMS_FILE: &str = "SHA256SUMS";

/// Where the files are until all of them are there.
const STAGING: &str = ".partial";

/// What the files are made of, and how: those of another plan are of no use.
const PLAN_FILE: &str = "plan.json";

const LOCK_FILE: &str = ".lock";

/// Left over when the files are there: file systems need some room for themselves.
const SPARE_BYTES: u64 = 64 << 20;

/// Bytes that are read at a time for a checksum.
const BLOCK: usize = 1 << 20;

/// A folder that is being written.
#[derive(Debug)]
pub struct PartialFolder {
    folder: PathBuf,
    staging: PathBuf,
    /// From names to checksums, of the files that are whole.
    finished: BTreeMap<String, String>,
    /// Keeps other processes out.
    _lock: File,
}

impl PartialFolder {
    /// Begins to write a folder, or goes on with it where an earlier run by the same `plan` ended.
    /// The files of that run are read again, for their checksums; those that differ are not kept.
    ///
    /// # Errors
    /// [`FolderError::Locked`] while another process writes it, and [`FolderError::Io`].
    pub fn open(folder: &Path, plan: &impl Serialize) -> Result<Self, FolderError> {
        let staging = folder.join(STAGING);
        fs::create_dir_all(&staging).map_err(FolderError::io(&staging))?;
        let lock = lock(folder, &staging.join(LOCK_FILE))?;
        let plan_file = staging.join(PLAN_FILE);
        let plan = serde_json::to_vec_pretty(plan).map_err(FolderError::syntax(&plan_file))?;
        let mut this = Self {
            folder: folder.to_owned(),
            staging,
            finished: BTreeMap::new(),
            _lock: lock,
        };
        let is_same = fs::read(&plan_file).is_ok_and(|earlier| earlier == plan);
        if is_same {
            this.finished = this.whole_files()?;
        }
        this.remove_all_but_finished()?;
        // The plan comes last: where there is one, there are checksums.
        this.write_checksums()?;
        atomic::write_bytes(&plan_file, &plan).map_err(FolderError::io(&plan_file))?;
        Ok(this)
    }

    /// Finds out whether so many bytes more fit on the disk.
    ///
    /// # Errors
    /// [`FolderError::DiskFull`] when they do not.
    pub fn check_space(&self, needed: u64) -> Result<(), FolderError> {
        let available =
            fs4::available_space(&self.folder).map_err(FolderError::io(&self.folder))?;
        match available.checked_sub(SPARE_BYTES) {
            Some(usable) if needed <= usable => Ok(()),
            _ => Err(FolderError::DiskFull {
                folder: self.folder.clone(),
                needed: needed.saturating_add(SPARE_BYTES),
                available,
            }),
        }
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Whether a file is whole already.
    pub fn has(&self, name: &str) -> bool {
        self.finished.contains_key(name)
    }

    /// Writes a file through `fill`, unless it is whole already. What was written is read again,
    /// and must have the checksum that `fill` returns, of the bytes that it meant to write.
    ///
    /// # Errors
    /// Those of `fill`; [`FolderError::Io`], and [`FolderError::Checksum`] when the disk has other
    /// bytes.
    pub fn write<E: From<FolderError>>(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut File) -> Result<Sha256, E>,
    ) -> Result<(), E> {
        if self.has(name) {
            return Ok(());
        }
        let path = self.staging.join(name);
        let io = || FolderError::io(&path);
        let unfinished = self.staging.join(format!("{name}.unfinished"));
        let mut file = File::create(&unfinished).map_err(io())?;
        let expected = hex(fill(&mut file)?);
        file.sync_all().map_err(io())?;
        let found = checksum(&unfinished).map_err(io())?;
        if found != expected {
            return Err(FolderError::Checksum { path }.into());
        }
        fs::rename(&unfinished, &path).map_err(io())?;
        self.finished.insert(name.to_owned(), expected);
        Ok(self.write_checksums()?)
    }

    /// Writes a small file, unless it is there with the same content.
    ///
    /// # Errors
    /// [`FolderError::Io`] and [`FolderError::Checksum`].
    pub fn write_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.folder.join(name);
        let hash = Sha256::new_with_prefix(bytes);
        // What an earlier run was given may have been another one.
        if self.finished.get(name) != Some(&hex(hash.clone())) {
            self.finished.remove(name);
        }
        self.write(name, |file| {
            file.write_all(bytes).map_err(FolderError::io(&path))?;
            Ok(hash)
        })
    }

    /// Writes the configuration and moves all files to their places.
    ///
    /// # Errors
    /// [`FolderError::Io`] and [`FolderError::Syntax`]. An older model in the folder stays as it
    /// was, unless it is a move that fails: then there is no configuration.
    pub fn finish(self, config: &impl Serialize) -> Result<(), FolderError> {
        let place = self.folder.join(CONFIG_FILE);
        let staged = self.staging.join(CONFIG_FILE);
        let mut json = serde_json::to_vec_pretty(config).map_err(FolderError::syntax(&place))?;
        json.push(b'\n');
        atomic::write_bytes(&staged, &json).map_err(FolderError::io(&staged))?;
        // The older one would vouch for a folder of old and new files.
        if place.exists() {
            fs::remove_file(&place).map_err(FolderError::io(&place))?;
        }
        let names = self.finished.keys().map(String::as_str);
        for name in names.chain([CHECKSUMS_FILE, CONFIG_FILE]) {
            let path = self.folder.join(name);
            fs::rename(self.staging.join(name), &path).map_err(FolderError::io(&path))?;
        }
        fs::remove_dir_all(&self.staging).map_err(FolderError::io(&self.staging))
    }

    /// The files of an earlier run that have their checksums.
    fn whole_files(&self) -> Result<BTreeMap<String, String>, FolderError> {
        let sums = read_checksums(&self.staging.join(CHECKSUMS_FILE))?;
        let mut whole = BTreeMap::new();
        for (name, expected) in sums {
            let path = self.staging.join(&name);
            match checksum(&path) {
                Ok(found) if found == expected => drop(whole.insert(name, expected)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FolderError::io(&path)(error));
                }
                _ => {}
            }
        }
        Ok(whole)
    }

    fn remove_all_but_finished(&self) -> Result<(), FolderError> {
        let io = || FolderError::io(&self.staging);
        for entry in fs::read_dir(&self.staging).map_err(io())? {
            let entry = entry.map_err(io())?;
            let name = entry.file_name();
            let is_kept = name
                .to_str()
                .is_some_and(|name| self.has(name) || name == LOCK_FILE);
            if !is_kept {
                fs::remove_file(entry.path()).map_err(FolderError::io(&entry.path()))?;
            }
        }
        Ok(())
    }

    fn write_checksums(&self) -> Result<(), FolderError> {
        let path = self.staging.join(CHECKSUMS_FILE);
        let lines = self
            .finished
            .iter()
            .map(|(name, sum)| format!("{sum}  {name}\n"));
        let text: String = lines.collect();
        atomic::write_bytes(&path, text.as_bytes()).map_err(FolderError::io(&path))
    }
}

/// Compares the files of a finished folder with its [`CHECKSUMS_FILE`].
///
/// # Errors
/// [`FolderError::Checksum`] names the first file that has changed, [`FolderError::Io`] one that
/// cannot be read.
pub fn verify(folder: &Path) -> Result<(), FolderError> {
    for (name, expected) in read_checksums(&folder.join(CHECKSUMS_FILE))? {
        let path = folder.join(name);
        let found = checksum(&path).map_err(FolderError::io(&path))?;
        if found != expected {
            return Err(FolderError::Checksum { path });
        }
    }
    Ok(())
}

fn lock(folder: &Path, path: &Path) -> Result<File, FolderError> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).open(path);
    let file = file.map_err(FolderError::io(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::Locked {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(FolderError::io(path)(source)),
    }
}

/// From names to checksums; a file that was cut off ends where it is no longer readable.
fn read_checksums(path: &Path) -> Result<BTreeMap<String, String>, FolderError> {
    let text = fs::read_to_string(path).map_err(FolderError::io(path))?;
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    Ok(lines
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect())
}

fn checksum(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(hash)),
            read => hash.update(&block[..read]),
        }
    }
}

fn hex(hash: Sha256) -> String {
    format!("{:x}", hash.finalize())
}
