//! The rows of runs, stages, pipelines and schedules: the end of the registry (`lists.rs` has the rest).

/// The registry: the rows it is given, and after them those of this file.
macro_rules! with_runs {
    ($($rest:tt)*) => {
        events! {
            $($rest)*
            /// Bytes that nothing refers to were deleted.
            ArtifactDeleted = 96, "artifact.deleted" {
                /// Their SHA-256.
                sha256: String,
            }
            /// A run came into being.
            RunCreated = 100, "run.created" {
                /// The name of its pipeline; none where the definition came with the request.
                pipeline: Option<String>,
                /// The number of the published version.
                number: Option<i64>,
                /// Which definition: the digest of its canonical form.
                sha256: String,
                /// Why: `request`, `schedule`, `stage`.
                cause: String,
                /// Where it stands: `queued` or `running`.
                state: String,
                /// The run that it is a stage of.
                parent: Option<String>,
            }
            /// Something of a run is under way (again).
            RunRunning = 101, "run.running" {}
            /// Nothing of a run is under way before a decision, an event or a time has come.
            RunWaiting = 102, "run.waiting" {}
            /// A run is done.
            RunSucceeded = 103, "run.succeeded" {}
            /// A stage of a run failed or was cancelled, and nothing more can run.
            RunFailed = 104, "run.failed" {
                /// The first stage that failed.
                stage: String,
                /// The first line of its error.
                error: String,
            }
            /// A run was called off.
            RunCancelled = 105, "run.cancelled" {
                /// Why.
                reason: String,
            }
            /// What was under way when a run was called off has stopped, or does not answer.
            RunStopped = 106, "run.stopped" {
                /// How much was asked to stop.
                asked: u64,
                /// How much did.
                stopped: u64,
                /// Of how much nobody knows.
                unconfirmed: u64,
            }
            /// A run goes on from a stage again.
            RunRerun = 107, "run.rerun" {
                /// From which stage; none: from all that did not succeed.
                from_stage: Option<String>,
                /// Which time, from 1.
                number: u32,
            }
            /// A run and what was kept of it was deleted.
            RunDeleted = 108, "run.deleted" {
                /// Why.
                reason: String,
            }
            /// An attempt of a stage began.
            StageStarted = 110, "stage.started" {
                /// Its id.
                stage: String,
                /// Which attempt, from 1.
                attempt: u32,
                /// What carries it out.
                uses: String,
                /// The id of its task, gate or run.
                thing: Option<String>,
            }
            /// A stage is done.
            StageSucceeded = 111, "stage.succeeded" {
                /// Its id.
                stage: String,
                /// Which attempt.
                attempt: u32,
                /// The names of its outputs.
                outputs: Vec<String>,
            }
            /// A stage failed and is not tried again by itself.
            StageFailed = 112, "stage.failed" {
                /// Its id.
                stage: String,
                /// Which attempt.
                attempt: u32,
                /// The first line of its error.
                error: String,
                /// What sort of failure: `failed`, `timed_out`, `rejected`, `expired`, `invalid`, `child`.
                cause: String,
            }
            /// A stage is not run.
            StageSkipped = 113, "stage.skipped" {
                /// Its id.
                stage: String,
                /// Why: `condition`, `needs`.
                cause: String,
                /// The stage that failed or was cancelled before it.
                root: Option<String>,
            }
            /// A stage was called off.
            StageCancelled = 114, "stage.cancelled" {
                /// Its id.
                stage: String,
                /// Which attempt.
                attempt: u32,
                /// Why.
                reason: String,
            }
            /// An attempt of a stage failed and another will follow.
            StageRetrying = 115, "stage.retrying" {
                /// Its id.
                stage: String,
                /// Which attempt failed.
                attempt: u32,
                /// How many failed until now.
                failures: u32,
                /// The first line of its error.
                error: String,
                /// When the next one begins, RFC 3339.
                due: String,
            }
            /// A gate's reject sent a run back to a stage.
            StageSentBack = 116, "stage.sent_back" {
                /// Its id.
                stage: String,
                /// The id of the gate.
                gate: String,
                /// Which time, from 1.
                round: u32,
                /// Who rejected; none: its time ran out.
                by: Option<String>,
            }
            /// What a `foreach` goes over is known.
            StageListed = 117, "stage.listed" {
                /// Its id.
                stage: String,
                /// Which attempt.
                attempt: u32,
                /// How many.
                items: u64,
            }
            /// How far a `foreach` is.
            StageProgress = 118, "stage.progress" {
                /// Its id.
                stage: String,
                /// Which attempt.
                attempt: u32,
                /// How many items have ended.
                ended: u64,
                /// How many of these failed.
                failed: u64,
                /// How many there are.
                items: u64,
            }
            /// A definition was published under a name.
            PipelinePublished = 120, "pipeline.published" {
                /// Which version of the name, from 1.
                number: i64,
                /// The digest of its canonical form.
                sha256: String,
            }
            /// A name of a pipeline was removed; its runs stay.
            PipelineDeleted = 121, "pipeline.deleted" {}
            /// A schedule was made or changed.
            ScheduleSaved = 125, "schedule.saved" {
                /// Which revision, from 1.
                revision: i64,
                /// Its next slot, RFC 3339; none: never, or it is paused.
                next: Option<String>,
            }
            /// A schedule was removed.
            ScheduleDeleted = 126, "schedule.deleted" {}
            /// A slot of a schedule came, and something was started or queued for it.
            ScheduleFired = 127, "schedule.fired" {
                /// The slot, RFC 3339.
                slot: String,
                /// The run.
                run: Option<String>,
                /// The task.
                task: Option<String>,
                /// Whether it waits for the one before it.
                queued: bool,
            }
            /// Slots of a schedule were left out.
            ScheduleSkipped = 128, "schedule.skipped" {
                /// The last of them, RFC 3339.
                slot: String,
                /// How many.
                count: u64,
                /// Why: `missed`, `overlap`, `duplicate`, `error`.
                reason: String,
                /// What refused it.
                error: Option<String>,
            }
        }
    };
}
