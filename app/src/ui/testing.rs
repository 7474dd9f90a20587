//! Panels in tests, used by the names of their controls.

use egui::Ui;
use egui_kittest::{Harness, kittest::Queryable as _};

use crate::command::{Command, Commands};

/// What a panel asks for after clicks on controls of these names, one after the other, in a window of that size in points.
/// Of several controls of a name the last is clicked.
pub(crate) fn asked(
    size: [f32; 2],
    clicks: &[&str],
    mut panel_ui: impl FnMut(&mut Ui, &mut Commands),
) -> Vec<Command> {
    let mut commands = Commands::default();
    let mut harness = Harness::builder().with_size(size).build_ui(|ui| panel_ui(ui, &mut commands));
    harness.run_steps(2);
    for click in clicks {
        let found: Vec<_> = harness.query_all_by_label(click).collect();
        found.last().unwrap_or_else(|| panic!("nothing is called {click}")).click();
        harness.run_steps(2);
    }
    drop(harness);
    commands.take()
}
