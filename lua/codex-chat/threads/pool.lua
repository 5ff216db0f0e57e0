--- Work in worker threads, so that reading thousands of files costs the editor no pause.
local M = {}

--- Batches that are worked on at a time; libuv has four threads, and others need some.
local at_once = 2

---@return string where the modules lie that threads load
local function here()
  return require("codex-chat.host").dir .. "/lua/codex-chat/threads"
end

--- Runs in a thread: nothing from outside of it but its arguments.
local function work(dir, state, module, name, payload)
  local ok, result = pcall(function()
    local fn = dofile(dir .. "/" .. module .. ".lua")[name]
    return vim.mpack.encode(fn(vim.mpack.decode(payload), dir, state))
  end)
  return ok, ok and result or tostring(result)
end

--- Calls a function of a module in this directory once for every batch.
---@param module string
---@param name string
---@param batches any[] arguments, plain values
---@param opts { on_batch: fun(n: integer, result: any): boolean?, on_end: fun(err: string?) }
---   `on_batch` comes in any order and may return true: then no further batch is begun
---@return fun() cancel nothing is called after it
function M.run(module, name, batches, opts)
  local next_batch, running, stopped, failed = 1, 0, false, nil
  local cancelled = false
  local step
  local function queue(n)
    local task = vim.uv.new_work(
      work,
      vim.schedule_wrap(function(ok, result)
        running = running - 1
        if cancelled then
          return
        end
        if not ok then
          failed = failed or result
          stopped = true
        elseif opts.on_batch(n, vim.mpack.decode(result)) then
          stopped = true
        end
        step()
      end)
    )
    running = running + 1
    task:queue(
      here(),
      require("codex-chat.config").get().state_dir,
      module,
      name,
      vim.mpack.encode(batches[n])
    )
  end
  function step()
    while not stopped and running < at_once and next_batch <= #batches do
      next_batch = next_batch + 1
      queue(next_batch - 1)
    end
    if running == 0 and not cancelled then
      cancelled = true
      opts.on_end(failed)
    end
  end
  step()
  return function()
    cancelled = true
  end
end

return M
