-- What snippets see of Lua, `kong` and `ngx`, as Kong's sandbox shows it. (Kong: `untrusted_lua = sandbox`.)
-- `host` holds the functions that the gateway provides; each checks its own phase.
local host = ...

local pcall, xpcall, error, type, tostring = pcall, xpcall, error, type, tostring
local setmetatable, getmetatable, select, rawget, rawset = setmetatable, getmetatable, select, rawget, rawset
local create, resume, wrap = coroutine.create, coroutine.resume, coroutine.wrap
local charge, charge_text, is_stopped = host.charge, host.charge_text, host.is_stopped
local concat, sort = table.concat, table.sort

-- What an error of memory says; Lua has no other mark of it.
local no_memory = "not enough memory"

-- A snippet that ended (kong.response.exit), or that used up a budget, must not go on because of a pcall.
local function unless_stopped(ok, ...)
  if not ok and (...) == no_memory then
    host.stop_over_memory()
  end
  if is_stopped() then
    error("stopped", 0)
  end
  return ok, ...
end

-- Tables of the libraries are templates: a snippet sees copies of its own (`view`), which are made as it uses them, so that
-- what it changes in them changes nothing for others. What a template has beside its members:
--   missing   its name, for the error about a member that it lacks
--   index     a function for members that differ from request to request
--   names     the members that `index` knows; true if it knows all
--   newindex  a function that sets members
--   call      a function for calls of the table
--   make      a function that makes the table for a snippet
local traits = {}

local function with_traits(template, own)
  traits[template] = own
  return template
end

-- Functions that are not there say so by their full name when they are called.
local function with_missing(template, name)
  return with_traits(template, { missing = name })
end

local function missing(name)
  return function()
    error("'" .. name .. "' is not available in this gateway", 2)
  end
end

-- The table of one snippet for a template.
local function view(template)
  local own = traits[template] or {}
  if own.make then
    return own.make()
  end
  local index, name = own.index, own.missing
  return setmetatable({}, {
    __metatable = false,
    __index = function(self, key)
      local value = rawget(template, key)
      if value == nil and index then
        value = index(key)
        if value ~= nil or own.names == true or own.names[key] then
          return value
        end
      end
      if value == nil then
        if name and type(key) == "string" then
          error("'" .. name .. "." .. key .. "' is not available in this gateway", 2)
        end
        return nil
      end
      if type(value) == "table" then
        value = view(value)
      end
      rawset(self, key, value)
      return value
    end,
    __newindex = own.newindex,
    __call = own.call,
  })
end

local function copy(from, names)
  local to = {}
  for name in names:gmatch("%S+") do
    to[name] = from[name]
  end
  return to
end

local function header_name(name)
  if type(name) ~= "string" then
    error("header name must be a string", 3)
  end
  return name
end

-- kong.request ------------------------------------------------------------------------------------------------------

local request = {
  get_scheme = host.scheme,
  get_host = host.host,
  get_port = host.port,
  get_forwarded_scheme = host.forwarded_scheme,
  get_forwarded_host = host.forwarded_host,
  get_forwarded_port = host.forwarded_port,
  get_forwarded_path = host.forwarded_path,
  get_forwarded_prefix = host.forwarded_prefix,
  get_http_version = host.http_version,
  get_method = host.method,
  get_path = host.path,
  get_raw_path = host.raw_path,
  get_raw_query = function() return host.query() or "" end,
  get_path_with_query = function()
    local query = host.query()
    return query and (host.path() .. "?" .. query) or host.path()
  end,
  get_query = host.query_args,
  get_query_arg = function(name)
    local value = host.query_args()[name]
    if type(value) == "table" then
      return value[1]
    end
    return value
  end,
  get_header = function(name)
    return (host.request_header(header_name(name)))
  end,
  get_headers = host.request_headers,
  get_raw_body = host.request_body,
  get_body = host.parsed_request_body,
  get_uri_captures = host.uri_captures,
  get_start_time = host.start_time,
}

-- kong.service ------------------------------------------------------------------------------------------------------

local service_request = {
  set_scheme = host.set_scheme,
  set_method = host.set_method,
  set_path = host.set_path,
  set_raw_query = host.set_query,
  set_query = function(args) host.set_query(host.encode_args(args)) end,
  set_header = function(name, value) host.set_request_header(header_name(name), value) end,
  add_header = function(name, value) host.add_request_header(header_name(name), value) end,
  clear_header = function(name) host.clear_request_header(header_name(name)) end,
  set_headers = function(headers)
    for name, value in pairs(headers) do
      host.set_request_header(header_name(name), value)
    end
  end,
  set_raw_body = host.set_request_body,
  set_body = host.set_parsed_request_body,
  enable_buffering = function() end,
}

local service_response = {
  get_status = host.upstream_status,
  get_header = function(name) return (host.upstream_header(header_name(name))) end,
  get_headers = host.upstream_headers,
}

-- The piece of a body that a filter gets, and whether it is the last; `ngx.arg`.
local body_piece

-- Key of the pieces of a body that kong.response.get_raw_body has collected.
local raw_body = {}

-- kong.response -----------------------------------------------------------------------------------------------------

local response = {
  get_status = host.status,
  get_source = host.response_source,
  get_header = function(name) return (host.response_header(header_name(name))) end,
  get_headers = host.response_headers,
  set_status = host.set_status,
  set_header = function(name, value) host.set_response_header(header_name(name), value) end,
  add_header = function(name, value) host.add_response_header(header_name(name), value) end,
  clear_header = function(name) host.clear_response_header(header_name(name)) end,
  set_headers = function(headers)
    for name, value in pairs(headers) do
      host.set_response_header(header_name(name), value)
    end
  end,
  get_raw_body = function()
    if not body_piece then
      error("function cannot be called in this phase (only in: body_filter)", 2)
    end
    local kept = host.plugin_context()
    local pieces = rawget(kept, raw_body) or {}
    if body_piece[1] and body_piece[1] ~= "" then
      pieces[#pieces + 1] = body_piece[1]
    end
    rawset(kept, raw_body, pieces)
    if not body_piece[2] then
      body_piece[1] = nil
      return nil
    end
    return table.concat(pieces)
  end,
  set_raw_body = function(body)
    if not body_piece then
      error("function cannot be called in this phase (only in: body_filter)", 2)
    end
    body_piece[1] = body_piece[2] and body or nil
  end,
  exit = function(status, body, headers)
    host.exit(status, body, headers)
    error("stopped", 0)
  end,
  error = function(status, message, headers)
    host.exit_error(status, message, headers)
    error("stopped", 0)
  end,
}

-- kong.log ----------------------------------------------------------------------------------------------------------

local function joined(...)
  local texts = {}
  for n = 1, select("#", ...) do
    texts[n] = tostring((select(n, ...)))
  end
  return table.concat(texts)
end

local log = { serialize = host.log_entry }
for _, level in ipairs({ "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug" }) do
  log[level] = function(...) host.log(level, joined(...)) end
end
log.inspect = function(...) host.log("debug", host.inspect(...)) end
log.set_serialize_value = host.set_log_value
log.deprecation = function(...) host.log("warn", joined(...)) end
with_traits(log, { call = function(_, ...) host.log("notice", joined(...)) end, missing = "kong.log" })

local kong = {
  version = host.version,
  version_num = host.version_number,
  pdk_major_version = 2,
  pdk_version = "2.0.0",
  request = with_missing(request, "kong.request"),
  service = with_missing({
    request = with_missing(service_request, "kong.service.request"),
    response = with_missing(service_response, "kong.service.response"),
    set_target = host.set_target,
    set_upstream = host.set_upstream,
    set_retries = host.set_retries,
    set_timeouts = host.set_timeouts,
    set_tls_verify = host.set_tls_verify,
  }, "kong.service"),
  response = with_missing(response, "kong.response"),
  client = with_missing({
    get_ip = host.connection_ip,
    get_forwarded_ip = host.client_ip,
    get_port = host.client_port,
    get_forwarded_port = host.client_port,
    get_credential = host.credential,
    get_consumer = host.consumer,
    get_consumer_group = function() return nil end,
    get_consumer_groups = function() return nil end,
    load_consumer = host.load_consumer,
    authenticate = host.authenticate,
    get_protocol = host.protocol,
  }, "kong.client"),
  router = with_missing({ get_route = host.route, get_service = host.service }, "kong.router"),
  ip = with_missing({ is_trusted = host.is_trusted }, "kong.ip"),
  node = with_missing({ get_id = host.node_id, get_hostname = host.hostname }, "kong.node"),
  table = {
    new = function() return {} end,
    clear = function(t) for key in pairs(t) do t[key] = nil end end,
    merge = function(a, b)
      local merged = {}
      for key, value in pairs(a or {}) do merged[key] = value end
      for key, value in pairs(b or {}) do merged[key] = value end
      return merged
    end,
  },
  nginx = with_missing({ get_subsystem = function() return "http" end }, "kong.nginx"),
  ctx = with_traits({}, {
    index = function(key)
      if key == "shared" then return host.shared_context() end
      if key == "plugin" then return host.plugin_context() end
      return nil
    end,
    names = true,
    newindex = function() error("kong.ctx has the members `shared` and `plugin`; set values in these", 2) end,
  }),
  configuration = with_missing({
    database = "off",
    role = "traditional",
    untrusted_lua = "sandbox",
    trusted_ips = {},
  }, "kong.configuration"),
  log = log,
}
with_missing(kong, "kong")

-- ngx ---------------------------------------------------------------------------------------------------------------

local null = host.null

local ngx_request = {
  get_headers = host.request_headers,
  get_method = host.method,
  set_method = function(method) host.set_method(host.method_name(method)) end,
  set_header = function(name, value)
    if value == nil then
      host.clear_request_header(header_name(name))
    else
      host.set_request_header(header_name(name), value)
    end
  end,
  clear_header = function(name) host.clear_request_header(header_name(name)) end,
  get_uri_args = host.query_args,
  set_uri_args = function(args)
    host.set_query(type(args) == "table" and host.encode_args(args) or tostring(args))
  end,
  set_uri = host.set_path,
  get_post_args = host.form_args,
  read_body = function() end,
  get_body_data = host.request_body,
  get_body_file = function() return nil end,
  set_body_data = host.set_request_body,
  http_version = host.http_version,
  start_time = host.start_time,
  is_internal = function() return false end,
}

local function exit(status)
  host.ngx_exit(status)
  error("stopped", 0)
end

-- What ngx.print and ngx.say have written: the body of the answer.
local function print_text(...)
  local function flat(value, texts)
    if type(value) == "table" then
      for _, item in ipairs(value) do flat(item, texts) end
    else
      texts[#texts + 1] = tostring(value)
    end
  end
  local texts = {}
  for n = 1, select("#", ...) do
    flat((select(n, ...)), texts)
  end
  return table.concat(texts)
end

local ngx = {
  null = null,
  OK = 0, ERROR = -1, AGAIN = -2, DONE = -4, DECLINED = -5,
  STDERR = 0, EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
  log = function(level, ...) host.log(level, joined(...)) end,
  print = function(...) host.write(print_text(...)) return true end,
  say = function(...) host.write(print_text(...) .. "\n") return true end,
  flush = function() return true end,
  eof = function() return true end,
  send_headers = function() return true end,
  exit = exit,
  redirect = function(location, status)
    host.redirect(location, status or 302)
    error("stopped", 0)
  end,
  exec = missing("ngx.exec"),
  sleep = missing("ngx.sleep"),
  get_phase = host.phase,
  req = with_missing(ngx_request, "ngx.req"),
  resp = { get_headers = host.response_headers },
  var = with_traits({}, {
    index = function(name) return host.variable(tostring(name)) end,
    names = true,
    newindex = function(_, name, value) host.set_variable(tostring(name), value) end,
  }),
  header = with_traits({}, {
    index = function(name)
      local first, more = host.response_header(header_name(name))
      return more or first
    end,
    names = true,
    newindex = function(_, name, value)
      if value == nil or value == "" then
        host.clear_response_header(header_name(name))
      else
        host.set_response_header(header_name(name), value)
      end
    end,
  }),
  re = with_missing({
    match = function(subject, pattern, options, context, into)
      local match, last, message = host.re_match(subject, pattern, options, context and context.pos or 1)
      if not match then return nil, message end
      if context then context.pos = last + 1 end
      if into then
        for key, value in pairs(match) do into[key] = value end
        return into
      end
      return match
    end,
    find = function(subject, pattern, options, context, group)
      local first, last, message = host.re_find(subject, pattern, options, context and context.pos or 1, group)
      if context and last then context.pos = last + 1 end
      if message then return nil, nil, message end
      return first, last
    end,
    sub = function(...) return host.re_sub(false, ...) end,
    gsub = function(...) return host.re_sub(true, ...) end,
    gmatch = function(subject, pattern, options)
      local from = 1
      return function()
        if not from then return nil end
        local match, last, message = host.re_match(subject, pattern, options, from)
        if not match then
          from = nil
          return nil, message
        end
        from = match[0] == "" and last + 2 or last + 1
        return match
      end
    end,
  }, "ngx.re"),
  encode_base64 = host.encode_base64,
  decode_base64 = host.decode_base64,
  encode_args = host.encode_args,
  decode_args = host.decode_args,
  escape_uri = host.escape_uri,
  unescape_uri = host.unescape_uri,
  md5 = host.md5,
  md5_bin = host.md5_bin,
  sha1_bin = host.sha1_bin,
  hmac_sha1 = host.hmac_sha1,
  crc32_short = host.crc32,
  crc32_long = host.crc32,
  quote_sql_str = host.quote_sql,
  now = host.now,
  time = function() return math.floor(host.now()) end,
  today = host.today,
  localtime = host.utc_time,
  utctime = host.utc_time,
  http_time = host.http_time,
  cookie_time = host.cookie_time,
  parse_http_time = host.parse_http_time,
  update_time = function() end,
  worker = { id = function() return 0 end, count = function() return 1 end, pid = host.pid, exiting = function() return false end },
  config = { subsystem = "http", prefix = function() return "" end, ngx_lua_version = 10028, nginx_version = 1027001 },
}
for name, status in pairs(host.statuses) do
  ngx[name] = status
end
for name in ("GET HEAD PUT POST DELETE OPTIONS MKCOL COPY MOVE PROPFIND PROPPATCH LOCK UNLOCK PATCH TRACE"):gmatch("%S+") do
  ngx["HTTP_" .. name] = name
end
with_traits(ngx, {
  missing = "ngx",
  index = function(key)
    if key == "ctx" then return host.shared_context() end
    if key == "status" then return host.status() or 0 end
    if key == "arg" then return body_piece end
    return nil
  end,
  names = { ctx = true, status = true, arg = true },
  newindex = function(_, key, value)
    if key == "status" then
      host.set_later_status(value)
    elseif key == "ctx" then
      error("assign to members of ngx.ctx", 2)
    else
      error("ngx." .. tostring(key) .. " cannot be set", 2)
    end
  end,
})

-- The sandbox -------------------------------------------------------------------------------------------------------

-- A table with the mark of a list.
local function marked() return { __jsontype = "array" } end

local cjson = {
  encode = host.json_encode,
  decode = host.json_decode,
  null = null,
  array_mt = with_traits({}, { make = marked }),
  empty_array_mt = with_traits({}, { make = marked }),
  empty_array = with_traits({}, { make = function() return setmetatable({}, marked()) end }),
  encode_empty_table_as_object = function() end,
  decode_array_with_array_mt = function() end,
  encode_max_depth = function() end,
  decode_max_depth = function() end,
  encode_number_precision = function() end,
  encode_keep_buffer = function() end,
  encode_sparse_array = function() end,
  encode_invalid_numbers = function() end,
}
cjson.new = function() return view(cjson) end
local function safe(run)
  return function(...)
    local ok, value = unless_stopped(pcall(run, ...))
    if ok then return value end
    return nil, tostring(value)
  end
end
local cjson_safe = {}
for name, value in pairs(cjson) do cjson_safe[name] = value end
cjson_safe.encode, cjson_safe.decode = safe(cjson.encode), safe(cjson.decode)
cjson_safe.new = function() return view(cjson_safe) end

local modules = {
  cjson = cjson,
  ["cjson.safe"] = cjson_safe,
  bit = host.bit,
  ["table.new"] = function() return {} end,
  ["table.clear"] = kong.table.clear,
  ["ngx.re"] = {
    split = function(subject, pattern, options, context, max, parts)
      parts = parts or {}
      local from, count = context and context.pos or 1, 0
      local at = from
      while at <= #subject and not (max and max > 0 and count + 1 >= max) do
        local first, last = host.re_find(subject, pattern, options, at)
        if not first then break end
        if last < first then
          -- An empty match parts two characters.
          if first > #subject then break end
          if first > from then
            count = count + 1
            parts[count] = subject:sub(from, first - 1)
            from = first
          end
          at = first + 1
        else
          count = count + 1
          parts[count] = subject:sub(from, first - 1)
          from, at = last + 1, last + 1
        end
      end
      parts[count + 1] = subject:sub(from)
      parts[count + 2] = nil
      return parts
    end,
  },
}

-- Texts that functions of Lua make are charged, since one instruction may make many megabytes.
local function charged(run)
  return function(...)
    local text = run(...)
    if #text > 1024 then
      charge_text(#text)
    end
    return text
  end
end

local strings = copy(string, "byte char len")
for name in ("format lower reverse sub upper"):gmatch("%S+") do
  strings[name] = charged(string[name])
end
local repeated = charged(string.rep)
strings.rep = function(text, count)
  if #tostring(text) * (tonumber(count) or 0) > host.max_text then
    host.stop_over_memory()
  end
  -- Without this, a text without bytes is repeated for as long as it takes.
  if text == "" then
    return ""
  end
  return repeated(text, count)
end
strings.find, strings.match, strings.gsub = host.patterns.find, host.patterns.match, host.patterns.gsub
local gmatch_from = host.patterns.gmatch_from
strings.gmatch = function(text, pattern)
  local position = 0
  local function step(next, ...)
    position = next
    return ...
  end
  return function() return step(gmatch_from(text, pattern, position)) end
end
-- Methods of texts (`text:sub(1, 2)`) are these functions.
getmetatable("").__index = strings

math.randomseed(host.seed)

local function less(a, b) return a < b end

local sandbox = copy(_G, "_VERSION assert error ipairs next pairs rawequal rawget rawset select setmetatable tostring type unpack")
sandbox.getmetatable = function(value)
  -- That of texts belongs to all snippets.
  if type(value) == "string" then return nil end
  return getmetatable(value)
end
sandbox.tonumber = function(value, base)
  if type(value) == "string" and #value > 1024 then
    charge(#value)
  end
  if base == nil then
    return tonumber(value)
  end
  return tonumber(value, base)
end
sandbox.pcall = function(...) return unless_stopped(pcall(...)) end
sandbox.xpcall = function(run, handler, ...)
  local args, count = { ... }, select("#", ...)
  -- While the handler runs, nothing would interrupt it if the error is that the budget is used up.
  local function handle(message)
    if message == no_memory or is_stopped() then
      return message
    end
    return handler(message)
  end
  return unless_stopped(xpcall(function() return run(unpack(args, 1, count)) end, handle))
end
sandbox.string = strings
sandbox.table = copy(table, "insert maxn remove")
sandbox.table.concat = charged(concat)
-- The comparison is Lua, so that it counts: sorting some lists takes quadratic time.
sandbox.table.sort = function(list, before) return sort(list, before or less) end
sandbox.math = copy(math, "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pow pi rad random sin sinh sqrt tan tanh")
sandbox.coroutine = copy(coroutine, "running status yield")
-- Instructions of a coroutine are counted by the thousand, so each costs as many at once.
sandbox.coroutine.create = function(run)
  charge(1000)
  return create(run)
end
sandbox.coroutine.wrap = function(run)
  charge(1000)
  return wrap(run)
end
sandbox.coroutine.resume = function(...) return unless_stopped(resume(...)) end
sandbox.os = with_missing(copy(os, "clock date difftime time"), "os")
sandbox.bit = host.bit
sandbox.print = function(...) host.log("notice", joined(...)) end
sandbox.kong = kong
sandbox.ngx = ngx

local function new_environment()
  local environment = view(sandbox)
  local loaded = {}
  environment._G = environment
  environment.require = function(name)
    local module = loaded[name]
    if module == nil then
      module = modules[name]
      if module == nil then
        error("require '" .. tostring(name) .. "' not allowed within sandbox", 2)
      end
      if type(module) == "table" then
        module = view(module)
      end
      loaded[name] = module
    end
    return module
  end
  return environment
end

-- A snippet that returns a function is run once, and its function from then on.
local function load_snippet(chunk)
  local run
  return function()
    if run then
      return run()
    end
    local returned = chunk()
    if type(returned) == "function" then
      run = returned
      return run()
    end
    run = chunk
  end
end

local function filter_body(run, piece, last)
  body_piece = { piece, last }
  local ok, message = pcall(run)
  local changed = body_piece[1]
  body_piece = nil
  if not ok then
    error(message, 0)
  end
  return changed
end

-- Whether a name such as "kong.request.get_header" leads to something in the sandbox.
local function is_known(path)
  local value = sandbox
  for name in path:gmatch("[^.]+") do
    if type(value) ~= "table" then
      return true
    end
    local member = rawget(value, name)
    if member == nil then
      local names = (traits[value] or {}).names
      return names == true or (names ~= nil and names[name] == true)
    end
    value = member
  end
  return true
end

return new_environment, load_snippet, filter_body, is_known
