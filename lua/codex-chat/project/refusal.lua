--- Directories that no agent gets. src/sandbox/mounts/project-mounts.ts decides; the same rules are
--- here, so that a refused directory is not the project if another one can be.
local M = {}

local uv = vim.uv

--- Directories of the system, and those with more than one project.
---@type table<string, true>
M.system = {}
for dir in
  (
    "/ /bin /boot /dev /etc /home /lib /lib32 /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys "
    .. "/tmp /usr /usr/local /var /var/tmp /home/agent"
  ):gmatch("%S+")
do
  M.system[dir] = true
end

--- Directories without any project: they belong to the sandbox's own system.
local closed = { "/dev", "/proc", "/sys", "/opt/codex", "/opt/codex-chat", "/run/codex-chat" }

--- Sockets of container engines: access to one makes a process root on this machine.
local engine_sockets = {
  "/var/run/docker.sock",
  "/run/docker.sock",
  "/run/podman",
  "/run/containerd",
  "/run/crio",
}

--- Resolves links in as much of the path as exists.
---@param path string
---@return string
local function real(path)
  local found = uv.fs_realpath(path)
  local parent = vim.fs.dirname(path)
  if found or parent == path then
    return found or path
  end
  return (real(parent):gsub("/$", "")) .. "/" .. vim.fs.basename(path)
end

--- Whether a directory is another one or holds it; both without links.
---@param dir string
---@param path string
---@return boolean
local function holds(dir, path)
  return dir == path or dir == "/" or vim.startswith(path, dir .. "/")
end

--- The user's home directories: of the environment and of the account.
---@return string[]
local function homes()
  local ok, account = pcall(uv.os_get_passwd)
  return vim.tbl_filter(function(home)
    return home:sub(1, 1) == "/"
  end, { vim.env.HOME or "", ok and account and account.homedir or "" })
end

--- Keys, and sockets of programs with the user's rights: src/session/backend/secret-places.ts.
---@return string[]
local function secrets()
  local found = vim.list_slice(engine_sockets)
  for _, home in ipairs(homes()) do
    vim.list_extend(found, { home .. "/.ssh", home .. "/.gnupg" })
  end
  local runtime = vim.env.XDG_RUNTIME_DIR or ""
  found[#found + 1] = runtime ~= "" and runtime or ("/run/user/%d"):format(uv.getuid())
  local tmux = (vim.env.TMUX or ""):match("^(/.*)/[^/,]*,")
  for _, place in ipairs({
    vim.env.GNUPGHOME or "",
    vim.env.SSH_AUTH_SOCK or "",
    vim.v.servername,
    vim.env.NVIM or "",
    vim.env.NVIM_LISTEN_ADDRESS or "",
    tmux or "",
  }) do
    found[#found + 1] = place
  end
  return vim.tbl_filter(function(place)
    return place:sub(1, 1) == "/" and place ~= "/"
  end, found)
end

--- Why an agent does not get a directory.
---@param dir string absolute, without links
---@return string? reason
function M.of(dir)
  if dir == "/" then
    return "it is the whole file system"
  end
  for _, home in ipairs(homes()) do
    home = real(home)
    if dir == home then
      return "it is the home directory, with every secret in it"
    elseif holds(dir, home) then
      return "it contains the home directory, with every secret in it"
    end
  end
  if M.system[dir] then
    return "it is a directory of the system"
  end
  for _, tree in ipairs(closed) do
    if holds(tree, dir) then
      return ("%s belongs to the sandbox's own system"):format(tree)
    end
  end
  local state = require("codex-chat.config").get().state_dir
  for _, place in ipairs(vim.list_extend({ state }, secrets())) do
    place = real(place)
    if holds(dir, place) then
      return ("it contains %s, which the agent must not reach"):format(place)
    elseif holds(place, dir) then
      return ("it lies within %s, which the agent must not reach"):format(place)
    end
  end
end

return M
