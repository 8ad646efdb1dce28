// 简体中文

export default {
  ok: '确定', cancel: '取消', close: '关闭', back: '返回', save: '保存', edit: '编辑', change: '修改', accept: '接受', reject: '拒绝', new: '新建', you: '我',
  'tab.chats': '聊天', 'tab.people': '联系人',
  'day.today': '今天', 'day.yesterday': '昨天', 'list.comma': '、',

  'auth.tagline': '消息，留在自己的服务器上。', 'auth.sign_in': '登录', 'auth.sign_up': '注册', 'auth.docs': '接口文档',
  'auth.username_hint': '2 到 32 个字符：任意文字的字母、数字，以及 _ . -', 'auth.nickname_hint': '别人看到的名字，以后可以修改。',
  'auth.password_hint': '至少 8 个字符。', 'auth.username_missing': '请输入用户名。', 'auth.password_missing': '请输入密码。',
  'ended.signed_out': '您已退出登录，请重新登录。', 'ended.banned': '该账号已被封禁。', 'ended.ended': '密码已修改或所有会话已结束，请重新登录。',

  'field.username': '用户名', 'field.nickname': '昵称', 'field.password': '密码', 'field.oldPassword': '当前密码', 'field.newPassword': '新密码', 'field.remark': '备注',
  'field.name': '名称', 'field.description': '简介', 'field.bio': '个人简介', 'field.message': '消息', 'field.announcement': '公告', 'field.text': '文字',

  'banner.connecting': '正在连接…', 'banner.offline': '当前离线。您写的消息会在恢复连接后发出。', 'banner.waiting': '连接已断开，{n} 秒后重试。', 'banner.now': '立即重试',
  'banner.replaced': 'Martlet 已在别处打开。', 'banner.here': '在这里使用', 'banner.protocol': '连接失败，请刷新页面。', 'banner.closed': '',
  'banner.signed_out': '已退出登录。', 'banner.banned': '账号已被封禁。', 'banner.ended': '已退出登录。',

  'list.empty': '还没有会话。点上方的 + 添加好友或新建群聊。', 'list.unread': '{n} 条未读消息', 'list.pin': '置顶', 'list.unpin': '取消置顶', 'list.mute': '免打扰', 'list.unmute': '取消免打扰',
  'list.hide': '隐藏会话', 'list.hide_sure': '会话将从列表中移除，有新消息时再次出现。内容不会被删除。',
  'room.section': '房间', 'room.world': '世界频道', 'room.hint': '对所有人开放', 'room.people': '{n} 人在线',

  'chat.none_open': '选择一个会话，或开始新的会话。', 'chat.keys': 'Alt + ↑ ↓ 切换会话', 'chat.messages': '消息', 'chat.write': '输入消息', 'chat.send': '发送', 'chat.options': '会话选项',
  'chat.newest': '回到最新消息', 'chat.new': '新消息', 'chat.empty': '还没有消息，打个招呼吧。', 'chat.replying': '回复 {name}', 'chat.editing': '编辑消息', 'chat.mention': '提及某人', 'chat.everyone': '所有人',
  'typing.one': '正在输入…', 'typing.name': '{name} 正在输入…', 'typing.many': '{n} 人正在输入…', 'presence.online': '在线', 'presence.offline': '离线',

  'state.waiting': '等待发送', 'state.sending': '正在发送', 'state.stored': '已发送', 'state.delivered': '已送达', 'state.read': '已读', 'state.failed': '发送失败', 'state.read_by': '{n} 人已读',
  'message.actions': '消息操作', 'message.reply': '回复', 'message.copy': '复制', 'message.copied': '已复制', 'message.edit': '编辑', 'message.edited': '已编辑', 'message.react': '回应',
  'message.recall': '撤回', 'message.recall_sure': '所有人都将看不到这条消息。', 'message.recalled': '消息已撤回', 'message.recalled_mine': '您撤回了一条消息', 'message.retry': '重试',
  'message.discard': '放弃', 'message.earlier': '较早的消息', 'message.forwarded': '{n} 条转发的消息',
  'type.image': '图片', 'type.voice': '语音', 'type.video': '视频', 'type.file': '文件', 'type.location': '位置', 'type.card': '名片', 'type.sticker': '表情', 'type.redpacket': '红包', 'type.forward': '聊天记录',
  'type.custom': '自定义消息', 'type.unknown': '未知类型的消息',

  'note.somebody': '有人', 'note.created': '{by} 创建了群聊', 'note.joined': '{names} 加入了群聊', 'note.added': '{by} 邀请 {names} 加入了群聊', 'note.left': '{names} 退出了群聊',
  'note.kicked': '{by} 将 {names} 移出了群聊', 'note.admin': '{by} 将 {names} 设为管理员', 'note.member': '{names} 不再是管理员', 'note.muted': '{by} 禁言了 {names}', 'note.unmuted': '{by} 解除了 {names} 的禁言',
  'note.transferred': '{by} 将群主转让给 {names}', 'note.dissolved': '{by} 解散了群聊', 'note.renamed': '{by} 将群名改为“{name}”', 'note.announced': '{by} 修改了公告', 'note.all_muted': '{by} 开启了全员禁言',
  'note.all_unmuted': '{by} 关闭了全员禁言', 'note.changed': '{by} 修改了群资料',
  'left.left': '您已退出该群聊。', 'left.kicked': '您已被移出该群聊。', 'left.dissolved': '该群聊已解散。',

  'people.requests': '好友请求', 'people.invitations': '群聊邀请', 'people.friends': '好友', 'people.blocked': '黑名单', 'people.empty': '还没有好友。点上方的 + 添加。', 'people.none_to_pick': '没有可选的好友。',
  'friend.add': '添加好友', 'friend.greeting': '附言（可选）', 'friend.send_request': '发送请求', 'friend.requested': '请求已发送。', 'friend.added': '你们已成为好友。', 'friend.message': '发消息', 'friend.remark': '设置备注',
  'friend.remark_hint': '您为 {name} 起的名字，仅自己可见。', 'friend.delete': '删除好友', 'friend.delete_sure': '{name} 将不再是您的好友。聊天记录会保留。', 'friend.block': '拉黑', 'friend.unblock': '解除拉黑',
  'friend.block_sure': '{name} 将无法给您发消息。', 'friend.options': '{name} 的选项',
  'group.new': '新建群聊', 'group.create': '创建群聊', 'group.join': '加入群聊', 'group.id': '群号', 'group.info': '群资料', 'group.members': '成员', 'group.count': '{n} 名成员', 'group.join_mode': '加入方式',
  'group.join_open': '任何人可加入', 'group.join_approval': '需要审批', 'group.join_closed': '仅限邀请', 'group.announcement': '公告', 'group.requested': '请求已发送，等待管理员处理。', 'group.requests': '入群申请', 'group.invite': '邀请',
  'group.edit': '编辑群资料', 'group.invited_by': '{name} 邀请您', 'group.leave': '退出群聊', 'group.leave_sure': '您将不再收到“{name}”的消息。', 'group.dissolve': '解散群聊', 'group.dissolve_sure': '“{name}”将对所有成员结束。',
  'group.kick': '移出群聊', 'group.kick_sure': '{name} 将被移出群聊。', 'group.mute': '禁言', 'group.unmute': '解除禁言', 'group.mute_all': '全员禁言', 'group.unmute_all': '解除全员禁言', 'group.all_muted': '全员禁言中。',
  'group.muted_until': '禁言至 {time}', 'group.make_admin': '设为管理员', 'group.make_member': '取消管理员', 'group.transfer': '转让群主', 'group.transfer_sure': '{name} 将成为群主，您将成为普通成员。', 'group.role_owner': '群主', 'group.role_admin': '管理员',

  'settings.title': '设置', 'settings.profile': '个人资料', 'settings.language': '语言', 'settings.password': '密码', 'settings.docs': '开发者', 'settings.password_hint': '您的其他会话都会退出登录。', 'settings.password_done': '密码已修改。',
  'settings.sign_out': '退出登录', 'settings.sign_out_all': '退出所有设备', 'settings.sign_out_waiting': '还有 {n} 条消息没有发出，退出后将会丢失。',
  'settings.strangers': '陌生人消息', 'settings.strangers_allow': '允许', 'settings.strangers_deny': '仅好友可发',

  'error.offline': '无法连接服务器，请检查网络。', 'error.internal': '服务器出了点问题，请重试。', 'error.invalid_field': '请检查您输入的内容。', 'error.invalid_field_named': '“{field}”不符合要求。', 'error.missing_field': '缺少必填内容。',
  'error.too_short': '{field}至少 {n} 个字符。', 'error.needed': '请填写{field}。', 'error.malformed_json': '服务器无法理解请求。', 'error.unknown_type': '服务器不认识这种消息。',
  'error.not_signed_in': '请重新登录。', 'error.invalid_token': '请重新登录。', 'error.token_reused': '请重新登录。', 'error.wrong_credentials': '用户名或密码错误。',
  'error.not_allowed': '您没有权限。', 'error.not_a_member': '您不是成员。', 'error.blocked': '你们之间的消息已被屏蔽。', 'error.strangers_refused': '对方只接收好友的消息。', 'error.muted': '您在这里被禁言了。', 'error.banned': '该账号已被封禁。',
  'error.too_late': '已经过了可以修改的时间。', 'error.guests_refused': '不接待游客。', 'error.group_closed': '该群只能通过邀请加入。', 'error.not_found': '没有找到。', 'error.unknown_user': '没有这个用户。',
  'error.unknown_conversation': '没有这个会话。', 'error.unknown_group': '没有这个群。', 'error.unknown_request': '该请求已经处理过了。', 'error.unknown_message': '没有这条消息。', 'error.client_id_reused': '这条消息已用别的内容发送过。',
  'error.username_taken': '用户名已被占用。', 'error.already_friends': '你们已经是好友了。', 'error.already_member': '已经是成员了。', 'error.already_recalled': '消息已经撤回过了。', 'error.owner_must_transfer': '请先转让或解散群聊。',
  'error.limit_reached': '已达到上限。', 'error.too_large': '内容太大了。', 'error.rate_limited': '操作太快，请稍候。', 'error.unavailable': '服务器暂时不可用。', 'error.overloaded': '服务器繁忙，请重试。',
  'error.shutting_down': '服务器正在重启，请重试。', 'error.not_a_room': '这不是房间。',
};
