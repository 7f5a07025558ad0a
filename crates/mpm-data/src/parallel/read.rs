//! The two layouts.

use std::{collections::BTreeMap, io::BufRead};

use super::{ParallelCorpus, ParallelError};

const BYTE_ORDER_MARK: char = '\u{feff}';

pub(super) fn tsv(reader: impl BufRead) -> Result<ParallelCorpus, ParallelError> {
    let mut lines = lines(reader);
    let (_, header) = lines.next().transpose()?.ok_or(ParallelError::NoHeader)?;
    let languages = languages(&header)?;
    let mut corpus = ParallelCorpus {
        languages: languages.clone(),
        rows: Vec::new(),
    };
    for line in lines {
        let (number, line) = line?;
        let cells: Vec<_> = line.split('\t').collect();
        if cells.len() > languages.len() {
            return Err(ParallelError::TooManyCells {
                line: number,
                found: cells.len(),
                columns: languages.len(),
            });
        }
        let cells = languages.iter().cloned().zip(cells);
        corpus.push(cells.map(|(code, cell)| (code, cell.to_owned())).collect());
    }
    Ok(corpus)
}

fn languages(header: &str) -> Result<Vec<String>, ParallelError> {
    if header.trim().is_empty() {
        return Err(ParallelError::NoHeader);
    }
    let mut languages: Vec<String> = Vec::new();
    for (index, language) in header.split('\t').map(str::trim).enumerate() {
        if language.is_empty() {
            let column = index + 1;
            return Err(ParallelError::NamelessColumn { column });
        }
        let language = language.to_owned();
        if languages.contains(&language) {
            return Err(ParallelError::LanguageTwice { language });
        }
        languages.push(language);
    }
    Ok(languages)
}

pub(super) fn json_lines(reader: impl BufRead) -> Result<ParallelCorpus, ParallelError> {
    let mut corpus = ParallelCorpus::default();
    for line in lines(reader) {
        let (line, text) = line?;
        if text.trim().is_empty() {
            continue;
        }
        let row: BTreeMap<String, Option<String>> =
            serde_json::from_str(&text).map_err(|source| ParallelError::Json { line, source })?;
        let there = row.into_iter();
        let there = there.filter_map(|(language, text)| Some((language, text?)));
        corpus.push(there.collect());
    }
    Ok(corpus)
}

/// The lines with their numbers from 1, without their ends and a byte order mark.
fn lines(reader: impl BufRead) -> impl Iterator<Item = Result<(usize, String), ParallelError>> {
    reader.split(b'\n').enumerate().map(|(index, bytes)| {
        let line = index + 1;
        let bytes = bytes?;
        let text = str::from_utf8(&bytes);
        let text = text.map_err(|source| ParallelError::NotUtf8 { line, source })?;
        let text = match index {
            0 => text.trim_start_matches(BYTE_ORDER_MARK),
            _ => text,
        };
        Ok((line, text.trim_end_matches('\r').to_owned()))
    })
}
