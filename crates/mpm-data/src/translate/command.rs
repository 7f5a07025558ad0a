//! Translation by a command of the user's.

use std::{
    collections::VecDeque,
    io::{self, BufReader, Read, Write},
    ops::ControlFlow,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    ServiceError, TranslationRequest, TranslationService,
    service::{lines, next_line},
};

/// How much of the standard error is kept for reports, in bytes.
const STDERR_KEPT: usize = 2048;
/// How long a command may take to end by itself once its input or output is closed.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(10);
/// Lines that may wait to be taken.
const WAITING_LINES: usize = 256;

/// A command that reads requests from its standard input and writes replies to its standard output,
/// which it flushes after each batch at the latest. It stays alive between batches; one that fails
/// is ended and started again for the next batch.
#[derive(Debug)]
pub struct CommandService {
    command: String,
    timeout: Duration,
    running: Option<Running>,
}

impl CommandService {
    /// A command line for `sh -c`, which is started by the first exchange, and the longest time
    /// without a line while requests are open.
    pub fn new(command: impl Into<String>, timeout: Duration) -> Self {
        Self {
            command: command.into(),
            timeout,
            running: None,
        }
    }

    /// Writes lines of any kind to the command and hands each line that it writes to `take`, until
    /// that breaks.
    ///
    /// # Errors
    /// [`ServiceError`] when the command ends or stays silent before `take` breaks.
    pub fn send(
        &mut self,
        lines: Vec<u8>,
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ServiceError> {
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                let started = Running::start(&self.command).map_err(ServiceError::Start)?;
                self.running.insert(started)
            }
        };
        let result = running.exchange(lines, take, self.timeout);
        if result.is_err() {
            self.running = None;
        }
        result
    }
}

impl TranslationService for CommandService {
    fn exchange(
        &mut self,
        requests: &[TranslationRequest],
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), ServiceError> {
        self.send(lines(requests)?, take)
    }
}

/// The process and the threads on its pipes. No thread is ever joined: a process that it started
/// may hold a pipe open for as long as it likes.
#[derive(Debug)]
struct Running {
    child: Child,
    requests: Option<Sender<Vec<u8>>>,
    replies: Receiver<Result<Vec<u8>, ServiceError>>,
    stderr: Arc<Mutex<VecDeque<u8>>>,
}

impl Running {
    fn start(command: &str) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command);
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        {
            // A group of its own, so that what the shell starts ends with it.
            use std::os::unix::process::CommandExt;
            shell.process_group(0);
        }
        let mut child = shell.spawn()?;
        let (requests, to_write) = mpsc::channel();
        let (read, replies) = mpsc::sync_channel(WAITING_LINES);
        let stderr = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stdin) = child.stdin.take() {
            thread::spawn(move || write(stdin, &to_write));
        }
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read_lines(stdout, &read));
        }
        if let Some(pipe) = child.stderr.take() {
            let kept = stderr.clone();
            thread::spawn(move || keep_end(pipe, &kept));
        }
        Ok(Self {
            child,
            requests: Some(requests),
            replies,
            stderr,
        })
    }

    fn exchange(
        &mut self,
        lines: Vec<u8>,
        take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
        timeout: Duration,
    ) -> Result<(), ServiceError> {
        if let Some(requests) = &self.requests {
            // One that reads no more may have answers on their way.
            let _ = requests.send(lines);
        }
        loop {
            match self.replies.recv_timeout(timeout) {
                Ok(Ok(line)) => {
                    if take(&line).is_break() {
                        return Ok(());
                    }
                }
                Ok(Err(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ServiceError::Idle {
                        after: timeout,
                        stderr: self.stderr(),
                    });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = match self.wait() {
                        Some(status) => status.to_string(),
                        None => "it closed its output and went on".into(),
                    };
                    return Err(ServiceError::Ended {
                        status,
                        stderr: self.stderr(),
                    });
                }
            }
        }
    }

    /// Waits for a short time.
    fn wait(&mut self) -> Option<std::process::ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < GRACE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(POLL);
        }
        None
    }

    /// The end of the standard error, to put behind a message.
    fn stderr(&self) -> String {
        // The thread on the pipe may be behind the process.
        thread::sleep(POLL);
        let kept = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        match String::from_utf8_lossy(&bytes).trim() {
            "" => String::new(),
            text => format!("; it wrote: {text}"),
        }
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of its input asks it to end.
        self.requests = None;
        if self.wait().is_none() {
            self.kill();
        }
    }
}

fn write(mut stdin: ChildStdin, lines: &Receiver<Vec<u8>>) {
    while let Ok(lines) = lines.recv() {
        if stdin
            .write_all(&lines)
            .and_then(|()| stdin.flush())
            .is_err()
        {
            break;
        }
    }
}

fn read_lines(stdout: ChildStdout, lines: &SyncSender<Result<Vec<u8>, ServiceError>>) {
    let mut stdout = BufReader::new(stdout);
    while let Some(line) = next_line(&mut stdout).transpose() {
        let failed = line.is_err();
        if lines.send(line).is_err() || failed {
            break;
        }
    }
}

fn keep_end(mut stderr: ChildStderr, kept: &Mutex<VecDeque<u8>>) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&buffer[..count]);
        let extra = kept.len().saturating_sub(STDERR_KEPT);
        kept.drain(..extra);
    }
}
