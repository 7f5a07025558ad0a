//! Downloads that endure being cut.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

use ureq::{
    BodyReader,
    http::{HeaderMap, StatusCode, header},
};

use super::{
    HubConfig, HubError, HubReference, part::Part, progress::Watch, remote::Remote,
    remote_file::RemoteFile, transport::Reply,
};

/// How much is read at a time.
const BLOCK: usize = 1 << 20;
/// How long is read at a time, so that slow downloads show that they go on.
const SHOW_AFTER: Duration = Duration::from_millis(200);
/// The longest pause between attempts, also where the Hub asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Does something until it succeeds, fails for good, or has failed too often.
///
/// # Errors
/// The last one.
pub(super) fn persist<T>(
    config: &HubConfig,
    watch: &mut Watch<'_>,
    mut attempt: impl FnMut(&mut Watch<'_>, &mut Failures) -> Result<T, HubError>,
) -> Result<T, HubError> {
    let mut failures = Failures::default();
    loop {
        let error = match attempt(watch, &mut failures) {
            Err(error) if error.may_pass(failures.best > 0) => error,
            result => return result,
        };
        failures.count += 1;
        if failures.count >= config.attempts.get() {
            return Err(error);
        }
        let pause = config
            .pause
            .saturating_mul(1 << (failures.count - 1).min(16));
        let pause = pause.max(error.retry_after()).min(LONGEST_PAUSE);
        tracing::warn!("tries again in {} s: {error}", pause.as_secs_f32());
        watch.sleep(pause)?;
    }
}

/// How often something failed in a row.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u32,
    /// The most that was there, 0 while nothing was received. More means that there is a network.
    best: u64,
}

impl Failures {
    /// Counts anew if a download is further than ever. One that always begins anew is not.
    fn forget(&mut self, done: u64) {
        if done > self.best {
            (self.count, self.best) = (0, done);
        }
    }
}

/// Downloads what is missing of a content.
///
/// # Errors
/// [`HubError`]; what is there then is kept, unless it is wrong.
pub(super) fn complete(
    config: &HubConfig,
    remote: &Remote,
    reference: &HubReference,
    file: &RemoteFile,
    part: &mut Part,
    watch: &mut Watch<'_>,
) -> Result<(), HubError> {
    watch.set(part.done(), file.size)?;
    persist(config, watch, |watch, failures| {
        if part.missing() == 0 {
            return Ok(());
        }
        let reply = remote.content(reference, &file.commit, part.done(), watch)?;
        let skip = match reply.response.status() {
            StatusCode::PARTIAL_CONTENT => {
                check_range(&reply, part.done(), file.size)?;
                0
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let reason = "it does not have the rest of the file";
                return Err(HubError::bad_reply(&reply.origin, reason));
            }
            // A server without ranges sends all of it. What is there stays: it is the same, or
            // this is no reply to what was asked.
            _ => part.done(),
        };
        check_length(&reply, part.missing().saturating_add(skip))?;
        receive(reply, part, file.size, skip, watch, failures)
    })
}

/// Adds what a reply sends behind its first `skip` bytes.
fn receive(
    reply: Reply,
    part: &mut Part,
    size: u64,
    mut skip: u64,
    watch: &mut Watch<'_>,
    failures: &mut Failures,
) -> Result<(), HubError> {
    let origin = reply.origin;
    let mut body = reply.response.into_body().into_reader();
    let mut block = Vec::new();
    let before = part.done();
    loop {
        let (read, end);
        (body, block, read, end) = watch.wait_for(move || read_block(body, block))?;
        let known = usize::try_from(skip).map_or(read, |skip| skip.min(read));
        skip -= known as u64;
        let new = &block[known..read];
        let fits = usize::try_from(part.missing()).map_or(true, |missing| new.len() <= missing);
        if !fits {
            // What it sent before is nothing to rely on.
            if part.done() > before {
                part.restart()?;
            }
            return Err(HubError::bad_reply(
                &origin,
                "it sends more than the file has",
            ));
        }
        if read > 0 {
            part.add(new)?;
            failures.forget(part.done());
            watch.set(part.done(), size)?;
        }
        match end {
            None => {}
            Some(Ok(())) if part.missing() == 0 => return Ok(()),
            Some(end) => {
                let source = end.err();
                return Err(HubError::Cut {
                    host: origin.host().to_owned(),
                    done: part.done(),
                    total: size,
                    source: source.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()),
                });
            }
        }
    }
}

/// Fills a block, or what comes of it in a short time. The last value says how the body ended, if
/// it did.
fn read_block(
    mut body: BodyReader<'static>,
    mut block: Vec<u8>,
) -> (BodyReader<'static>, Vec<u8>, usize, Option<io::Result<()>>) {
    block.resize(BLOCK, 0);
    let (start, mut read, mut end) = (Instant::now(), 0, None);
    while end.is_none() && read < BLOCK && start.elapsed() < SHOW_AFTER {
        match body.read(&mut block[read..]) {
            Ok(0) => end = Some(Ok(())),
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => end = Some(Err(error)),
        }
    }
    (body, block, read, end)
}

/// Whether a reply is the rest that was asked for.
fn check_range(reply: &Reply, from: u64, size: u64) -> Result<(), HubError> {
    let range = text(reply.response.headers(), header::CONTENT_RANGE.as_str());
    let expected = format!("bytes {from}-{}/{size}", size.saturating_sub(1));
    if range != Some(&expected) {
        return Err(HubError::bad_reply(
            &reply.origin,
            format!("it sends another part of the file than `{expected}`"),
        ));
    }
    Ok(())
}

fn check_length(reply: &Reply, missing: u64) -> Result<(), HubError> {
    let length = text(reply.response.headers(), header::CONTENT_LENGTH.as_str());
    let length: Option<u64> = length.and_then(|length| length.parse().ok());
    match length {
        Some(length) if length != missing => Err(HubError::bad_reply(
            &reply.origin,
            format!("it sends {length} bytes where {missing} are missing"),
        )),
        _ => Ok(()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
