// What the made-up people say, in both languages.

export interface Words {
  readonly org: string;
  readonly people: readonly string[];
  readonly group: string;
  readonly groups: readonly string[];
  readonly chat: readonly (readonly [who: number, text: string])[];
  readonly directs: readonly string[];
  readonly draft: string;
  readonly file: string;
  readonly link: string;
  readonly photoWords: string;
  readonly old: string;
  readonly devices: readonly string[];
}

export const words: Record<"en" | "ru", Words> = {
  en: {
    org: "Novgorod City Archive",
    people: [
      "Anna Petrova",
      "Boris Ivanov",
      "Vera Smirnova",
      "Gleb Orlov",
      "Daria Volkova",
      "Yegor Belov",
      "Zhanna Kuznetsova",
      "Ilya Morozov",
      "Ksenia Lebedeva",
      "Lev Sokolov",
      "Maria Novikova",
      "Nikita Fyodorov",
    ],
    group: "Reading room move",
    groups: ["Restoration workshop", "Duty roster", "Exhibition “Birch bark letters”"],
    chat: [
      [1, "Good morning! The carriers come on **Thursday at 9:00**, two vans."],
      [1, "Who can be at the side door?"],
      [2, "I can until noon. After that the school class comes."],
      [0, "I take the afternoon then."],
      [
        3,
        "Reminder, what goes first:\n\n1. Folios, shelves 14 to 22\n2. The map cabinet (**empty the drawers!**)\n3. Microfilm readers",
      ],
      [0, "The drawers are done since Friday 🙂"],
      [2, "Here is the floor plan with the new shelves"],
      [4, "Looks good. Is the humidity logger on the list? See `inventory.csv`, line 212"],
      [1, "Not yet. I'll add it"],
      [0, "Thank you all. Anything else until Thursday?"],
    ],
    directs: [
      "The key is with the porter",
      "Thanks, that helped a lot!",
      "See you tomorrow at ten",
      "👍",
      "Could you send me the scan again, please? The last pages are missing.",
    ],
    draft: "Dear Daria, about the",
    file: "Inventory of the reading room 2026.ods",
    link: "The drying rules are here: [guide of the state archive](https://example.org/guide)",
    photoWords: "The lake this morning, on the way to work",
    old: "Message number",
    devices: ["Firefox on Linux", "Chrome on Android", "Edge on Windows"],
  },
  ru: {
    org: "Новгородский городской архив",
    people: [
      "Анна Петрова",
      "Борис Иванов",
      "Вера Смирнова",
      "Глеб Орлов",
      "Дарья Волкова",
      "Егор Белов",
      "Жанна Кузнецова",
      "Илья Морозов",
      "Ксения Лебедева",
      "Лев Соколов",
      "Мария Новикова",
      "Никита Фёдоров",
    ],
    group: "Переезд читального зала",
    groups: ["Реставрационная мастерская", "График дежурств", "Выставка «Берестяные грамоты»"],
    chat: [
      [1, "Доброе утро! Грузчики приедут **в четверг в 9:00**, две машины."],
      [1, "Кто сможет быть у боковой двери?"],
      [2, "Я могу до полудня. Потом придёт школьный класс."],
      [0, "Тогда вторая половина дня за мной."],
      [
        3,
        "Напоминаю, что едет первым:\n\n1. Фолианты, полки 14–22\n2. Шкаф с картами (**ящики освободить!**)\n3. Аппараты для микрофильмов",
      ],
      [0, "Ящики пустые ещё с пятницы 🙂"],
      [2, "Вот план этажа с новыми стеллажами"],
      [4, "Отлично. А регистратор влажности в списке есть? Смотрите `inventory.csv`, строка 212"],
      [1, "Ещё нет. Добавлю"],
      [0, "Всем спасибо. Нужно ли что-то ещё до четверга?"],
    ],
    directs: [
      "Ключ у вахтёра",
      "Спасибо, это очень помогло!",
      "До завтра, в десять",
      "👍",
      "Пришлите, пожалуйста, скан ещё раз: не хватает последних страниц.",
    ],
    draft: "Дарья, здравствуйте! По поводу",
    file: "Опись читального зала 2026.ods",
    link: "Правила просушки здесь: [памятка государственного архива](https://example.org/guide)",
    photoWords: "Озеро сегодня утром, по дороге на работу",
    old: "Сообщение номер",
    devices: ["Firefox, Linux", "Chrome, Android", "Edge, Windows"],
  },
};
