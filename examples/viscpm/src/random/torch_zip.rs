//! The archive that `torch.save` writes: a pickle, and a member for each storage.

use std::{
    fs::File,
    io::{self, Write},
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The folder in the archive.
const ROOT: &str = "archive";

/// Where PyTorch lets storages begin: at multiples of so many bytes.
const ALIGNMENT: u16 = 64;

/// Writes an archive whose storage number `i` has the bytes of the `i`th of `storages`.
pub fn write<S: Iterator<Item = Vec<u8>>>(
    file: File,
    pickle: &[u8],
    storages: impl Iterator<Item = S>,
) -> io::Result<()> {
    let mut archive = ZipWriter::new(file);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .with_alignment(ALIGNMENT)
        .large_file(true);
    let begin = |archive: &mut ZipWriter<File>, name: &str| {
        archive.start_file(format!("{ROOT}/{name}"), options)
    };
    begin(&mut archive, "data.pkl")?;
    archive.write_all(pickle)?;
    begin(&mut archive, "byteorder")?;
    archive.write_all(b"little")?;
    for (key, mut storage) in storages.enumerate() {
        begin(&mut archive, &format!("data/{key}"))?;
        storage.try_for_each(|piece| archive.write_all(&piece))?;
    }
    begin(&mut archive, "version")?;
    archive.write_all(b"3\n")?;
    archive.finish()?;
    Ok(())
}
