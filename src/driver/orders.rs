//! Orders of people: each is handed to the engine under a number, and its answer finds back by it.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};

use crate::engine::command::{CommandAnswer, CommandId, OperatorCommand};
use crate::web::Order;

/// Most orders that wait to be handed in; a person who orders more is told to wait.
pub(super) const QUEUE_MAX: usize = 16;
/// Most orders whose answer is awaited. An order beyond is given up, not handed in.
const WAITING_MAX: usize = 256;

/// Orders under way.
pub(super) struct Orders {
    queue: mpsc::Receiver<Order>,
    waiting: BTreeMap<CommandId, oneshot::Sender<CommandAnswer>>,
    last: CommandId,
}

impl Orders {
    /// Opens the queue.
    pub(super) fn open() -> (mpsc::Sender<Order>, Self) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        (sender, Self { queue, waiting: BTreeMap::new(), last: CommandId::default() })
    }

    /// Waits for the next order; its answer is awaited from then on. Safe to be dropped while it waits.
    pub(super) async fn next(&mut self) -> (CommandId, OperatorCommand) {
        loop {
            let Some(Order { command, answer }) = self.queue.recv().await else {
                // Whoever could order is gone.
                return std::future::pending().await;
            };
            if self.waiting.len() < WAITING_MAX {
                self.last.0 = self.last.0.saturating_add(1);
                self.waiting.insert(self.last, answer);
                return (self.last, command);
            }
            tracing::error!(order = command.what.as_str(), "an order was given up: too many wait for the ledger");
        }
    }

    /// Says what came of an order.
    pub(super) fn answer(&mut self, id: CommandId, answer: CommandAnswer) {
        if let Some(waiting) = self.waiting.remove(&id) {
            // Whoever ordered may be gone; the order counts all the same.
            drop(waiting.send(answer));
        }
    }
}
