-- Development only: stands in for modules that are not there yet.
local stubs = {
  markdown = {
    scan = function(lines)
      local prompt, fence
      for i, line in ipairs(lines) do
        if line:match("^```") then
          fence = not fence
        elseif not fence and line:match("^## You[ \t]*$") then
          prompt = i - 1
        end
      end
      return { chunks = {}, folds = {}, prompt = prompt, front_matter_end = 0 }
    end,
  },
  undo = {
    machine = function(_, fn)
      fn()
    end,
  },
}
return function(name)
  local ok, module = pcall(require, "codex-chat." .. name)
  if ok then
    return module
  end
  return setmetatable(stubs[name] or {}, {
    __index = function()
      return function() end
    end,
  })
end
