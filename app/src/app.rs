//! The window: takes in what jobs brought, draws, applies what was asked for.
//!
//! `logic` receives; `ui` draws the panels, applies their commands, and only then the canvas: what a
//! slider moved is in the picture of the same frame.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui_wgpu::{RenderState, wgpu};
use egui::{CentralPanel, Frame, Panel, Rect, Ui};
use render::band_compute::BandCompute;

use crate::canvas::{self, Canvas};
use crate::command::{self, Command, Commands, Effect, shortcuts};
use crate::command::{FileCommand, ModelCommand, TrainingCommand, WindowCommand};
use crate::jobs::load_tile::TileLoader;
use crate::jobs::runner::Runner;
use crate::jobs::{self, inbox, journal, session_file, split_field};
use crate::state::dialogs::Dialog;
use crate::state::review::ReviewState;
use crate::state::view::SlideFacts;
use crate::state::{Adapter, State};
use crate::tiles::Tiles;
use crate::ui::{
    channel_panel, comparing, dialogs, informative_panel, job_tray, lens_panel, lesion_list,
    menu_bar, model_list, model_panel, overlay_panel, queue_bar, result_card, slide_panel,
    start_page, status_bar, theme, toast, training, welcome,
};

/// Width of the panels at the right.
const SIDE_PANEL_PT: f32 = 330.0;

/// How the viewer is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A slide to open at once.
    pub slide: Option<PathBuf>,
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// If the system gives no window or no way to draw.
pub fn run(options: Options) -> anyhow::Result<()> {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Slidelight")
        .with_app_id("slidelight")
        .with_inner_size([1240.0, 740.0])
        .with_min_inner_size([720.0, 480.0])
        .with_drag_and_drop(true);
    let native = eframe::NativeOptions { viewport, ..Default::default() };
    eframe::run_native(
        "slidelight",
        native,
        Box::new(move |creation| Ok(Box::new(App::new(creation, options)?))),
    )
    .map_err(|error| anyhow::anyhow!("{error}"))
}

struct App {
    state: State,
    runner: Runner,
    tiles: Tiles,
    canvas: Canvas,
}

impl App {
    fn new(creation: &eframe::CreationContext<'_>, options: Options) -> anyhow::Result<Self> {
        let gpu = creation
            .wgpu_render_state
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("no graphics adapter was found"))?;
        canvas::install(gpu);
        theme::apply(&creation.egui_ctx);
        let mut runner = Runner::new(creation.egui_ctx.clone());
        runner.band_compute = band_compute(gpu).map(Arc::new);
        let mut app = Self {
            state: State {
                session: session_file::load(),
                review: ReviewState::of(journal::reviewer()),
                adapter: adapter(&gpu.adapter.get_info()),
                ..State::default()
            },
            runner,
            tiles: Tiles::new(TileLoader::new(&creation.egui_ctx)?),
            canvas: Canvas::default(),
        };
        app.state.training.is_open = app.state.session.training.is_some();
        app.apply(vec![ModelCommand::Reload.into()]);
        let first = app.first_command(options);
        app.apply(first);
        Ok(app)
    }

    /// A slide that was named, or at the very first start the demo slide with a word of welcome.
    fn first_command(&mut self, options: Options) -> Vec<Command> {
        match options.slide {
            Some(path) => vec![FileCommand::Open(path).into()],
            None if self.state.session.recent.is_empty() => {
                self.state.dialogs.is_welcome_shown = true;
                vec![FileCommand::OpenDemo.into()]
            }
            None => Vec::new(),
        }
    }

    fn apply(&mut self, commands: Vec<Command>) {
        for command in commands {
            tracing::trace!(?command, "apply");
            let effects = command::apply(&mut self.state, command);
            self.perform(effects);
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            jobs::perform(effect, &mut self.state, &mut self.runner);
        }
    }

    /// Panels around the canvas.
    fn panels_ui(&self, ui: &mut Ui, commands: &mut Commands) {
        let state = &self.state;
        Panel::top("menu").show(ui, |ui| menu_bar::menu_bar_ui(ui, state, commands));
        let n_damaged = self.tiles.damaged(&state.view).len();
        Panel::bottom("status")
            .show(ui, |ui| status_bar::status_bar_ui(ui, state, n_damaged, commands));
        if let Some(facts) = &state.view.facts {
            if state.review.is_panel_open {
                let left = Panel::left("review").default_size(336.0).size_range(336.0..=520.0);
                left.show(ui, |ui| review_ui(ui, state, facts, commands));
            }
            let side = Panel::right("side").default_size(SIDE_PANEL_PT).size_range(280.0..=520.0);
            side.show(ui, |ui| {
                let scroll = egui::ScrollArea::vertical().auto_shrink([false, false]);
                scroll.show(ui, |ui| side_ui(ui, state, facts, commands));
            });
        }
    }

    /// The slide, or the start page while there is none. Answers where the canvas is.
    fn center_ui(&mut self, ui: &mut Ui, commands: &mut Commands) -> Rect {
        let Some(slide) = self.state.slide.clone() else {
            let place = ui.available_rect_before_wrap();
            start_page::start_page_ui(ui, &self.state, commands);
            return place;
        };
        if let Some(queue) = &self.state.image_queue {
            queue_bar::queue_bar_ui(ui, queue, self.state.session.key_set, commands);
        }
        if let Some(text) = self.state.overlay.result.as_deref().and_then(result_card::warning) {
            result_card::warning_banner_ui(ui, &text);
        }
        let response = canvas::sense(ui, &self.state, commands);
        self.apply(commands.take());
        self.tiles.follow(&self.state.view, &slide);
        self.canvas.paint(ui, response.rect, &self.state, &mut self.tiles, commands);
        response.rect
    }

    /// What lies over the canvas.
    fn overlays_ui(&self, ctx: &egui::Context, center: Rect, commands: &mut Commands) {
        let state = &self.state;
        if state.dialogs.is_welcome_shown && state.slide.is_some() {
            welcome::welcome_ui(ctx, center.center_top(), commands);
        }
        job_tray::job_tray_ui(ctx, center.left_bottom(), state, commands);
        toast::toasts_ui(ctx, center.right_bottom(), &state.notices, commands);
        training::training_ui(ctx, state, commands);
        model_list::model_list_ui(ctx, state, commands);
        comparing::comparing_ui(ctx, state, commands);
        dialogs::dialogs_ui(ctx, state, commands);
    }

    /// A window that is closed while it trains asks first; asked twice it closes.
    fn ask_before_closing(&self, ctx: &egui::Context, commands: &mut Commands) {
        let is_asked = self.state.dialogs.open == Dialog::QuitWhileTraining;
        if is_asked || !self.state.training.is_under_way() {
            return;
        }
        if ctx.input(|input| input.viewport().close_requested()) {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            commands.push(WindowCommand::Show(Dialog::QuitWhileTraining));
        }
    }

    /// Draws again when a message expires, and once a second while a job counts its time.
    fn schedule_repaint(&mut self, ctx: &egui::Context) {
        if let Some(due) = self.state.notices.expire(Instant::now()) {
            ctx.request_repaint_after(due);
        }
        let comparison = self.state.overlay.comparison.as_mut();
        if let Some(due) = comparison.and_then(|it| it.blink(Instant::now())) {
            ctx.request_repaint_after(due);
        }
        if journal::follow(&mut self.state) {
            ctx.request_repaint_after(Duration::from_millis(300));
        }
        if self.state.jobs.visible().next().is_some() {
            ctx.request_repaint_after(Duration::from_secs(1));
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        while let Some(event) = self.runner.next_event() {
            let effects = inbox::receive(&mut self.state, event);
            self.perform(effects);
        }
        self.tiles.receive();
        for trouble in self.tiles.take_troubles() {
            self.state.notices.error(format!("A part of the slide cannot be read: {trouble}"));
        }
        self.schedule_repaint(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        let work_ms = frame.info().cpu_usage.map(|seconds| 1000.0 * seconds);
        tracing::trace!(work_ms, "frame before");
        let mut commands = Commands::default();
        shortcuts::read(ui.ctx(), &self.state, &mut commands);
        push_dropped_files(ui.ctx(), &self.state, &mut commands);
        self.ask_before_closing(ui.ctx(), &mut commands);
        self.panels_ui(ui, &mut commands);
        let asked_by_panels = commands.take();
        let mut is_changed = !asked_by_panels.is_empty();
        self.apply(asked_by_panels);

        let before = self.state.view.camera;
        let center = CentralPanel::default()
            .frame(Frame::new().fill(theme::backdrop(self.state.session.backdrop)))
            .show(ui, |ui| self.center_ui(ui, &mut commands))
            .inner;
        is_changed |= before != self.state.view.camera;

        self.overlays_ui(ui.ctx(), center, &mut commands);
        let asked_by_canvas = commands.take();
        is_changed |= !asked_by_canvas.is_empty();
        self.apply(asked_by_canvas);
        let missing = command::lens::follow(&mut self.state);
        self.perform(missing);
        if is_changed {
            // Panels that were drawn before the change show it in the next frame.
            ui.ctx().request_repaint();
        }
    }

    fn on_exit(&mut self) {
        self.runner.cancel_all();
        if let Some(keeper) = self.state.review.keeper.take() {
            keeper.close();
        }
    }
}

/// What a person keeps of an open slide.
fn review_ui(ui: &mut Ui, state: &State, facts: &SlideFacts, commands: &mut Commands) {
    let scroll = egui::ScrollArea::vertical().auto_shrink([false, false]);
    let keys = state.session.key_set;
    scroll.show(ui, |ui| {
        lesion_list::lesion_list_ui(ui, &state.review, facts.mpp, keys, commands);
    });
}

/// What is beside an open slide: model, result, overlay, facts.
fn side_ui(ui: &mut Ui, state: &State, facts: &SlideFacts, commands: &mut Commands) {
    channel_panel::channel_panel_ui(ui, &state.view, commands);
    model_panel::model_panel_ui(ui, state, commands);
    if let Some(result) = &state.overlay.result {
        result_card::result_card_ui(ui, result);
    }
    ui.separator();
    overlay_panel::overlay_panel_ui(ui, &state.overlay, facts.mpp, commands);
    ui.separator();
    informative_panel::informative_panel_ui(ui, state, commands);
    ui.separator();
    lens_panel::lens_panel_ui(ui, state, commands);
    ui.separator();
    slide_panel::slide_panel_ui(ui, &state.view, commands);
}

/// One slide at a time: the last of several files. While a training is planned it may be the labelled folder.
fn push_dropped_files(ctx: &egui::Context, state: &State, commands: &mut Commands) {
    let Some(file) = ctx.input(|input| input.raw.dropped_files.last().cloned()) else { return };
    let path = file.path().to_owned();
    if state.training.is_open && state.training.run.is_none() {
        commands.push(TrainingCommand::TakeDropped(path));
    } else {
        commands.push(FileCommand::Drop(path));
    }
}

fn adapter(info: &wgpu::AdapterInfo) -> Adapter {
    let is_software = info.device_type == wgpu::DeviceType::Cpu;
    if is_software {
        tracing::warn!("no graphics processor was found: {} draws the picture", info.name);
    }
    Adapter { name: info.name.clone(), is_software }
}

/// For the lens, on the device that draws the window, where that is worth it.
fn band_compute(gpu: &RenderState) -> Option<BandCompute> {
    let is_software = gpu.adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    let wish = std::env::var(split_field::LENS_VARIABLE).ok();
    split_field::is_left_to_shaders(wish.as_deref(), is_software)
        .then(|| BandCompute::new(gpu.device.clone(), gpu.queue.clone()))
}
