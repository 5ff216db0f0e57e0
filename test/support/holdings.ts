/** What a Neovim and other processes hold, to be compared before and after. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import * as z from "zod";

const COUNT = `
  collectgarbage()
  collectgarbage()
  local handles, marks = {}, 0
  -- Older versions stumble over handles of Neovim's own.
  if vim.fn.has("nvim-0.12") == 1 then
    vim.uv.walk(function(handle)
      local kind = handle:get_type()
      handles[kind] = (handles[kind] or 0) + 1
    end)
  end
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) then
      for _, ns in pairs(vim.api.nvim_get_namespaces()) do
        marks = marks + #vim.api.nvim_buf_get_extmarks(buf, ns, 0, -1, {})
      end
    end
  end
  return {
    luaKb = collectgarbage("count"),
    timers = handles.timer or 0,
    handles = vim.iter(pairs(handles)):fold(0, function(sum, _, n) return sum + n end),
    autocommands = #vim.api.nvim_get_autocmds({}),
    extmarks = marks,
    buffers = #vim.api.nvim_list_bufs(),
    windows = #vim.api.nvim_list_wins(),
    channels = #vim.api.nvim_list_chans(),
    mappings = #vim.api.nvim_get_keymap("n") + #vim.api.nvim_get_keymap("i"),
  }`;

const NeovimHoldings = z.object({
  /** Of Lua's heap, after a collection. */
  luaKb: z.number(),
  /** Of libuv; 0 in Neovim before 0.12, as `handles`. */
  timers: z.number(),
  /** All handles of libuv that Lua has made, timers included. */
  handles: z.number(),
  autocommands: z.number(),
  /** Of the loaded buffers, in all namespaces. */
  extmarks: z.number(),
  buffers: z.number(),
  windows: z.number(),
  channels: z.number(),
  /** Global ones. */
  mappings: z.number(),
});
/** How much of everything a Neovim holds. */
export type NeovimHoldings = z.infer<typeof NeovimHoldings>;

/** Counts what a Neovim holds. */
export async function neovimHoldings(nvim: {
  readonly lua: (source: string) => Promise<unknown>;
}): Promise<NeovimHoldings> {
  return NeovimHoldings.parse(await nvim.lua(COUNT));
}

/** The resident memory of a process, in MB of 10^6 bytes. */
export function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6;
}

/** Where the file descriptors of a process lead, as /proc says it: `socket:[…]`, a path. */
export function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** The processes on this machine that have this text in their arguments or environment. */
export function processesNaming(text: string): number[] {
  const has = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8").includes(text);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => has(pid, "cmdline") || has(pid, "environ"))
    .map(Number);
}
