//! A child process that does not outlive its owner.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// A running process. Dropping it ends it: SIGTERM, some time to obey, then SIGKILL. So does the end of this process,
/// however it comes.
pub struct Process {
    id: u32,
    stop: Option<mpsc::Sender<()>>,
    keeper: Option<thread::JoinHandle<()>>,
}

impl Process {
    /// Starts a command, in a thread that lives as long as it does.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let (started, start) = mpsc::channel();
        // SAFETY: between fork and exec only one system call is made, which is safe there. The signal comes when the
        // thread that made the child ends, hence the thread: whatever kills this process then ends the child as well.
        #[allow(unsafe_code, reason = "the standard library has no safe way to tie a child's life to its parent's")]
        unsafe {
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        let keeper = thread::Builder::new().name("child".to_owned()).spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return drop(started.send(Err(error))),
            };
            let _ = started.send(Ok(child.id()));
            while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(20)) {
                if matches!(child.try_wait(), Ok(Some(_))) {
                    return;
                }
            }
            end(&mut child);
        })?;
        let id = start.recv().map_err(io::Error::other)??;
        Ok(Self { id, stop: Some(stop), keeper: Some(keeper) })
    }

    /// The system's number of it.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| !keeper.is_finished())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

fn end(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}
