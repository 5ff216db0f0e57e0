import { setTimeout as pause } from "node:timers/promises";
import { history } from "../parts/chat.ts";
import { Editor } from "../parts/editor.ts";
import { deltaOf, type Stream } from "../parts/model.ts";
import { Snapshot } from "../parts/processes.ts";

const FRAME_MS = 33;

/** Shows the lines in a window as wide as the chat's, with the plugin's and all other reading off. */
const OPEN = `
  vim.cmd("botright 90vnew")
  vim.bo.undolevels = -1
  vim.api.nvim_buf_set_lines(0, 0, -1, false, vim.split(..., "\\n"))
  vim.cmd("normal! G")`;

/** Writes one frame after the other at the end, and keeps that in view. */
const RUN = `
  local frames, ms = ...
  local next = 0
  local timer = assert(vim.uv.new_timer())
  timer:start(ms, ms, vim.schedule_wrap(function()
    next = next + 1
    if not frames[next] then
      if not timer:is_closing() then timer:close() end
      _G.is_over = true
      return
    end
    local last = vim.api.nvim_buf_line_count(0) - 1
    local col = #vim.api.nvim_buf_get_lines(0, last, last + 1, false)[1]
    vim.api.nvim_buf_set_text(0, last, col, last, col, vim.split(frames[next], "\\n"))
    vim.cmd("normal! G")
  end))`;

/**
 * The time of a Neovim that writes a stream into a buffer, frame by frame, in bare Lua without
 * highlighting, behind so many lines.
 */
export async function bareBufferMs(
  program: string,
  lines: number,
  stream: Stream,
): Promise<number> {
  await using editor = await Editor.start({ program });
  await editor.lua(OPEN, history(lines));
  await pause(500);
  const before = new Snapshot().own(editor.pid);
  await editor.lua(RUN, framesOf(stream), FRAME_MS);
  await pause(stream.ms);
  await editor.until("_G.is_over == true");
  return new Snapshot().own(editor.pid) - before;
}

function framesOf(stream: Stream): string[] {
  const count = Math.ceil(stream.ms / FRAME_MS);
  const frames = Array.from({ length: count }, () => "");
  for (let n = 0; n < stream.deltas; n++) {
    const at = Math.floor((n / stream.deltas) * count);
    frames[at] += deltaOf(n, stream);
  }
  return frames;
}
